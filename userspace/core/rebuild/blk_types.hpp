// Block operations and flags as the kernel has them (include/linux/blk_types.h). Only values that
// are the same from 5.10 to 6.18; the rest of the flag word moves between versions.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace iohops::blk {

inline constexpr uint32_t kOpMask = 0xff;  // REQ_OP_MASK
inline constexpr uint32_t kRead = 0;
inline constexpr uint32_t kWrite = 1;
inline constexpr uint32_t kFlush = 2;
inline constexpr uint32_t kDiscard = 3;
inline constexpr uint32_t kSecureErase = 5;
inline constexpr uint32_t kWriteZeroes = 9;

inline constexpr uint32_t kSync = 1u << 11;
inline constexpr uint32_t kMeta = 1u << 12;
inline constexpr uint32_t kPrio = 1u << 13;
inline constexpr uint32_t kIdle = 1u << 15;
inline constexpr uint32_t kFua = 1u << 17;
inline constexpr uint32_t kPreflush = 1u << 18;
inline constexpr uint32_t kReadahead = 1u << 19;
inline constexpr uint32_t kBackground = 1u << 20;
inline constexpr uint32_t kNowait = 1u << 21;

inline uint32_t op(uint32_t flags) { return flags & kOpMask; }
inline bool is_read(uint32_t flags) { return op(flags) == kRead; }
inline bool is_write(uint32_t flags) { return op(flags) == kWrite; }
// Whether bytes travel between memory and the device: a discard names sectors, it carries none.
inline bool carries_data(uint32_t flags) { return is_read(flags) || is_write(flags); }
// A flush of the device's cache: the operation itself, or a write of nothing that asks for one.
inline bool is_flush(uint32_t flags, uint64_t bytes) {
  return op(flags) == kFlush || (bytes == 0 && is_write(flags) && (flags & kPreflush) != 0);
}
// The file system gives sectors back: of an unlinked or shortened file, say.
inline bool is_discard(uint32_t flags) { return op(flags) == kDiscard || op(flags) == kSecureErase; }

std::string_view op_name(uint32_t flags);
void append_flag_names(uint32_t flags, std::vector<std::string_view>& names);

}  // namespace iohops::blk
