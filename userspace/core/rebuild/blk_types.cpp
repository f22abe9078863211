// Names of block operations and flags.
#include "core/rebuild/blk_types.hpp"

#include <utility>

namespace iohops::blk {

std::string_view op_name(uint32_t flags) {
  switch (op(flags)) {
    case kRead:
      return "read";
    case kWrite:
      return "write";
    case kFlush:
      return "flush";
    case kDiscard:
      return "discard";
    case kSecureErase:
      return "secure_erase";
    case kWriteZeroes:
      return "write_zeroes";
    default:
      return "other";
  }
}

void append_flag_names(uint32_t flags, std::vector<std::string_view>& names) {
  static constexpr std::pair<uint32_t, std::string_view> kNames[] = {
      {kSync, "sync"},
      {kMeta, "meta"},
      {kPrio, "prio"},
      {kIdle, "idle"},
      {kFua, "fua"},
      {kPreflush, "preflush"},
      {kReadahead, "readahead"},
      {kBackground, "background"},
      {kNowait, "nowait"},
  };
  for (const auto& [bit, name] : kNames) {
    if ((flags & bit) != 0) names.push_back(name);
  }
}

}  // namespace iohops::blk
