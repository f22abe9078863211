// sendfile, splice, tee, vmsplice, copy_file_range: bytes that go from one descriptor to another
// without passing the application. Whether they are copied on the way depends on both ends.
#include <algorithm>

#include "core/ops.hpp"
#include "core/rebuild/state.hpp"

namespace iohops {
namespace {

constexpr uint32_t kAccessMode = 3;  // O_ACCMODE; O_RDONLY is 0

struct Step {
  HopKind kind = HopKind::kRef;
  Endpoint from = Endpoint::kKernel;
  Endpoint to = Endpoint::kKernel;
  Evidence evidence = Evidence::kDerived;
};

Endpoint endpoint_of(const FileState& file) {
  if (uses_page_cache(file)) return Endpoint::kPageCache;
  if (file.storage == Storage::kSocket) return Endpoint::kSocket;
  return file.storage == Storage::kPipe ? Endpoint::kPipe : Endpoint::kKernel;
}

// Protocols that take pages as they are; the others copy them into packets of their own.
bool takes_pages(const FileState& file) {
  const SocketFacts socket(file.rdev);
  return socket.is_tcp() || socket.is_udp() || socket.is_unix_stream();
}

// What has a splice_read of its own hands out the pages that it has; everything else, procfs, character devices
// (devtmpfs, too, says that it is shared memory) and sockets of datagrams, fills new ones: copy_splice_read.
bool hands_out_pages(const FileState& file) {
  if (file.storage == Storage::kMemory) return file.kind == FileKind::kMemory && is_shared_memory(file.magic);
  if (file.storage == Storage::kSocket) {
    const SocketFacts socket(file.rdev);
    if (socket.is_inet()) return socket.is_tcp() || socket.is_mptcp();
    return socket.is_stream() || socket.family == 0;  // 0: not known
  }
  return file.storage != Storage::kDax && file.storage != Storage::kNone;
}

// include/linux/skbuff.h: SKB_MAX_HEAD(0), of a page of 4 KiB.
constexpr uint64_t kUnixHead = 4096 - 320;

bool is_unix_stream(const FileState& file) {
  return file.storage == Storage::kSocket && SocketFacts(file.rdev).is_unix_stream();
}

bool is_file(const FileState& file) {
  return file.storage != Storage::kSocket && file.storage != Storage::kPipe &&
         file.storage != Storage::kNone;
}

bool is_whole(uint64_t offset, uint64_t block) { return offset == WIRE_UNKNOWN || offset % block == 0; }

// copy_file_range on a file system that can let two files share their blocks: no page of the target
// became dirty and nothing was read, so nothing was copied. Blocks are shared whole (generic_remap_checks), but for a
// server's, who copies as it likes.
bool shared_extents(const wire_request_detail& record, const FileState* source, const FileState& target) {
  constexpr uint64_t kSmallestBlock = 512, kBtrfsBlock = 4096;
  if (record.request.op != WIRE_OP_COPY_FILE_RANGE || !can_share_extents(target.magic)) return false;
  const bool local = target.storage == Storage::kPageCache;
  if (local && (source == nullptr || source->dev != target.dev)) return false;
  const uint64_t block = is_btrfs(target.magic) ? kBtrfsBlock : kSmallestBlock;
  if (local && !(is_whole(record.request.offset, block) && is_whole(record.to_offset, block))) return false;
  if (record.dirtied_bytes == 0 && record.added_bytes == 0) return true;
  // btrfs always can, and its trees are pages, which it loads and dirties then. Less than a block is shared only at a
  // file's end.
  return is_btrfs(target.magic) && record.request.result >= static_cast<int64_t>(kBtrfsBlock);
}

// The target is open with O_DIRECT and took the pages as they are. What no device takes (parts of a sector) has gone
// through the page cache all the same, and so has what made as much of it dirty; ext4 dirties a page or two of its own
// when a file grows.
bool went_past_cache(const wire_request_detail& record, const FileState& target, uint64_t moved) {
  constexpr uint64_t kSector = 512, kMetadata = 65536;
  if ((record.request.flags & WIRE_REQUEST_TO_DIRECT) == 0 || !uses_page_cache(target)) return false;
  if (is_never_direct(target.magic, target.falls_back)) return false;
  if (!is_whole(record.to_offset, kSector) || !is_whole(moved, kSector)) return false;
  return record.dirtied_bytes < (is_btrfs(target.magic) ? moved : std::max(moved, kMetadata));
}

// The source is open with O_DIRECT, and was not read through the page cache all the same.
bool is_read_directly(const RebuildState& s, const wire_request_detail& record, const CacheVerdict& verdict,
                      const FileState* source) {
  return is_direct(s, record.request, source) && !verdict.added && is_whole(record.request.offset, 512) &&
         !is_never_direct(source->magic, source->falls_back);
}

Step vmsplice_step(const wire_request& request) {
  if ((request.open_flags & kAccessMode) != 0)
    return {HopKind::kRef, Endpoint::kUser, Endpoint::kPipe, Evidence::kDerived};
  return {HopKind::kCpuCopy, Endpoint::kPipe, Endpoint::kUser, Evidence::kDerived};
}

// The last leg: from pages that `source` handed out, or that were filled from it.
Step arrival(const wire_request_detail& record, const FileState& source, const FileState& target, bool direct,
             uint64_t moved) {
  const Endpoint from = direct ? Endpoint::kKernel : endpoint_of(source);  // pages made for it (copy_splice_read)
  if (shared_extents(record, &source, target))
    return {HopKind::kRef, Endpoint::kDevice, Endpoint::kDevice, Evidence::kInferred};
  if (target.storage == Storage::kSocket) {
    const bool pages = takes_pages(target);
    return {pages ? HopKind::kRef : HopKind::kCpuCopy, from, Endpoint::kSocket,
            pages ? Evidence::kDerived : Evidence::kInferred};
  }
  if (is_unix_stream(source)) {
    // What was sent in little messages lies beside their heads and is copied (__skb_splice_bits), the rest is pages.
    const bool copied = moved < kUnixHead;
    return {copied ? HopKind::kCpuCopy : HopKind::kRef, from, endpoint_of(target), Evidence::kInferred};
  }
  const bool copies = is_file(target) && !went_past_cache(record, target, moved);
  const bool wanted = (record.request.flags & WIRE_REQUEST_TO_DIRECT) == 0 || !uses_page_cache(target);
  return {copies ? HopKind::kCpuCopy : HopKind::kRef, from, endpoint_of(target),
          copies && !wanted ? Evidence::kInferred : Evidence::kDerived};
}

void add_step(RebuildState& s, const Step& step, uint64_t bytes) {
  Request& r = s.request;
  Hop hop;
  hop.kind = step.kind;
  hop.evidence = step.evidence;
  hop.from = step.from;
  hop.to = step.to;
  hop.bytes = bytes;
  hop.at_ns = r.start_ns;
  hop.end_ns = r.start_ns + r.duration_ns;
  r.hops.push_back(hop);
  if (step.kind != HopKind::kCpuCopy) return;
  r.cpu_copies++;
  r.cpu_copy_bytes += bytes;
}

Path path_of_copy(const FileState& source, const FileState& target) {
  if (uses_page_cache(source) || uses_page_cache(target)) return Path::kBuffered;
  if (source.storage == Storage::kSocket || target.storage == Storage::kSocket)
    return Path::kSocket;
  return source.storage == Storage::kPipe ? Path::kPipe : Path::kMemory;
}

void add_hops(RebuildState& s, const wire_request_detail& record, const CacheVerdict& verdict, const FileState& source,
              const FileState& target, uint64_t moved) {
  const bool asked = is_direct(s, record.request, &source);
  const bool direct = is_read_directly(s, record, verdict, &source);
  const bool shared = shared_extents(record, &source, target);
  // What has no pages to hand out fills new ones; a direct read fills them by DMA, if it is one.
  const bool hands_out = asked ? direct || shared : hands_out_pages(source);
  const bool fills = !hands_out && source.storage != Storage::kNone;
  if (fills) {
    add_step(s, {HopKind::kCpuCopy, endpoint_of(source), Endpoint::kPipe, Evidence::kDerived},
             moved);
  }
  const bool there = fills && target.storage == Storage::kPipe;
  if (target.storage != Storage::kNone && !there) add_step(s, arrival(record, source, target, asked, moved), moved);
  s.request.path = direct                    ? Path::kDirect
                   : s.request.cpu_copies > 0 ? path_of_copy(source, target)
                                              : Path::kZeroCopy;
}

}  // namespace

void fill_move(RebuildState& s, const wire_request_detail& record, const HeldRequest* held,
               const CacheVerdict& verdict, const FileState* file) {
  Request& r = s.request;
  const wire_request& request = record.request;
  const uint64_t moved = moved_bytes(record);
  const FileState* target = s.names.find_file(record.to_file);
  const bool of_memory = request.op == WIRE_OP_VMSPLICE;
  if (!of_memory) {
    r.to_fd = record.to_fd;
    r.to_file = target != nullptr ? target->id : 0;
    const bool positioned = target != nullptr && is_file(*target);
    if (positioned && record.to_offset != WIRE_UNKNOWN) r.to_offset = record.to_offset;
  }
  if (file != nullptr && uses_page_cache(*file)) {
    wire_request_detail of_source = record;  // without the pages that the target got
    if (!verdict.added) of_source.added_bytes = of_source.bios = 0;
    const bool direct = is_read_directly(s, record, verdict, file);
    const bool shared = target != nullptr && shared_extents(record, file, *target);
    r.cache = direct || shared ? CacheOutcome::kBypass : outcome_of(of_source, held, verdict, moved);
  }
  if (moved == 0) return;
  if (file == nullptr || (target == nullptr && !of_memory)) {
    r.complete = false;  // where the bytes came from or went is not known: no copy is claimed
    return;
  }
  if (!of_memory) return add_hops(s, record, verdict, *file, *target, moved);
  add_step(s, vmsplice_step(request), moved);
  r.path = r.cpu_copies > 0 ? Path::kPipe : Path::kZeroCopy;
}

ByteRange moved_into(RebuildState& s, const wire_request_detail& record) {
  const FileState* target = s.names.find_file(record.to_file);
  const uint64_t moved = moved_bytes(record);
  if (target == nullptr || !uses_page_cache(*target) || record.to_offset == WIRE_UNKNOWN) return {};
  if (went_past_cache(record, *target, moved) || shared_extents(record, s.names.find_file(record.request.file), *target))
    return {};
  if (moved > UINT64_MAX - record.to_offset) return {};
  return {record.to_offset, record.to_offset + moved};
}

}  // namespace iohops
