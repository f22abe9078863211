// Page faults on file mappings: one page mapped, or copied for a private store, also where it was
// mapped before (of a large folio one page, too: do_wp_page copies no more). Fault-around maps more,
// but its window is only what the kernel considered, so it is not counted.
#include <bit>

#include "core/rebuild/state.hpp"

namespace iohops {

void add_fault_hops(RebuildState& s, const wire_request& request, const FileState* file) {
  const bool cached = file == nullptr || file->storage == Storage::kPageCache ||
                      file->storage == Storage::kNetwork || file->storage == Storage::kFuse;
  const uint16_t copies = WIRE_REQUEST_PRIVATE | WIRE_REQUEST_WRITE_FAULT;
  Hop hop;
  hop.from = cached ? Endpoint::kPageCache : Endpoint::kKernel;
  hop.to = Endpoint::kUser;
  hop.bytes = s.context.page_size;
  hop.at_ns = s.request.start_ns;
  hop.end_ns = s.request.start_ns + s.request.duration_ns;
  if ((request.flags & copies) == copies) {
    // Copy on write: the process gets a page of its own, none of the page cache is mapped.
    hop.kind = HopKind::kCpuCopy;
    const bool seen = (request.flags & WIRE_REQUEST_COPIED) != 0;  // and not told by the mapping
    hop.evidence = seen ? Evidence::kObserved : Evidence::kDerived;
    s.request.cpu_copies++;
    s.request.cpu_copy_bytes += hop.bytes;
  } else {
    hop.kind = HopKind::kMap;
    hop.evidence = Evidence::kObserved;
  }
  s.request.hops.push_back(hop);
}

// The pages that a store through a shared mapping made dirty: the whole folio. Its size is what was
// dirtied, and a folio is aligned to its size in the file.
ByteRange fault_dirties(const RebuildState& s, const wire_request_detail& record) {
  const wire_request& request = record.request;
  if ((request.flags & WIRE_REQUEST_WRITE_FAULT) == 0) return {};
  if ((request.flags & WIRE_REQUEST_PRIVATE) != 0) return {};
  if (request.offset == WIRE_UNKNOWN || record.dirtied_bytes == 0) return {};
  uint64_t bytes = record.dirtied_bytes;
  if (!std::has_single_bit(bytes) || bytes < s.context.page_size) bytes = s.context.page_size;
  const uint64_t begin = request.offset / bytes * bytes;
  if (begin > UINT64_MAX - bytes) return {};
  return {begin, begin + bytes};
}

}  // namespace iohops
