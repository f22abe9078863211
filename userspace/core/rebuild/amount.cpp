// How much: what a request asked for, what it moved, and what of that went past the page cache.
#include <algorithm>

#include "core/ops.hpp"
#include "core/rebuild/state.hpp"

namespace iohops {
namespace {

constexpr uint32_t kOAppend = 0x400;  // on every architecture with BTF but MIPS and the like
constexpr uint32_t kRwfAppend = 0x10, kRwfNoAppend = 0x20;  // linux/fs.h

}  // namespace

bool appends_elsewhere(const wire_request& request) {
  if (family(request.op) != OpFamily::kWrite || is_message(request.op)) return false;
  // Where these went the position tells that they left.
  if (request.op == WIRE_OP_WRITE || request.op == WIRE_OP_WRITEV) return false;
  const bool has_rwf = request.op == WIRE_OP_PWRITEV2 || is_ringed(request.op);
  const uint32_t rwf = has_rwf ? request.call_flags : 0;
  return (rwf & kRwfAppend) != 0 || ((request.open_flags & kOAppend) != 0 && (rwf & kRwfNoAppend) == 0);
}

ByteRange asked_range(const wire_request& request, uint32_t page_size) {
  const uint64_t begin = request.offset == WIRE_UNKNOWN ? 0 : request.offset;
  uint64_t bytes = 0;
  if (family(request.op) == OpFamily::kFault) {
    bytes = page_size;
  } else if (unfinished(request) || request.result < 0) {
    bytes = request.requested == WIRE_UNKNOWN ? 0 : request.requested;
  } else {
    bytes = static_cast<uint64_t>(request.result);
  }
  return {begin, begin + std::min(bytes, UINT64_MAX - begin)};
}

uint64_t moved_bytes(const wire_request_detail& record) {
  const wire_request& request = record.request;
  if (!moves_data(request.op) || unfinished(request) || request.result <= 0) return 0;
  if (counts_messages(request.op)) return record.moved_bytes;
  const auto result = static_cast<uint64_t>(request.result);
  // MSG_TRUNC makes a receive return the length of what arrived, also of what did not fit.
  return is_message(request.op) ? std::min<uint64_t>(result, request.requested) : result;
}

bool is_direct(const RebuildState& s, const wire_request& request, const FileState* file) {
  return file != nullptr && (request.open_flags & s.direct_flag) != 0 && uses_page_cache(*file);
}

Fallback direct_fallback(const RebuildState& s, const wire_request_detail& record,
                         const CacheVerdict& verdict, const FileState& file) {
  const uint64_t moved = moved_bytes(record);
  if (record.direct_bytes >= moved) return {};
  const bool write = family(record.request.op) == OpFamily::kWrite;
  const bool seen =
      verdict.added || record.dirtied_bytes > 0 || (write && record.bios > record.direct_bios);
  if (!s.context.sees_bios) return seen ? Fallback{moved, Evidence::kInferred} : Fallback{};
  // Nothing seen: a cached page was used, or a hole was filled with zeros, which is no copy.
  const bool by_function = (record.request.flags & WIRE_REQUEST_COPY_MISSED) != 0;
  if (!seen && !write && !by_function && direct_read_was_a_hole(file.magic, file.falls_back)) return {};
  return {moved - record.direct_bytes, seen ? Evidence::kDerived : Evidence::kInferred};
}

}  // namespace iohops
