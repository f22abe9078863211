// Hits, misses and readahead, from the pages that entered the page cache while a request ran.
#include "core/ops.hpp"
#include "core/rebuild/state.hpp"

namespace iohops {
namespace {

constexpr size_t kMaxRuns = 65536;

ByteRange bytes_of_run(const wire_page_run& run, uint64_t page) {
  constexpr uint64_t kMaxPages = UINT64_MAX >> 20;  // hostile numbers must not wrap
  const uint64_t first = std::min<uint64_t>(run.first, kMaxPages);
  const uint64_t pages = std::min<uint64_t>(run.pages, kMaxPages);
  return {first * page, (first + pages) * page};
}

// On an overlay the pages belong to a file of another super block, which no record names: it is the
// one whose pages were added where the request read; another one once the file has been copied up.
bool is_of_file(RebuildState& s, const wire_page_run& run, const FileState* file,
                const ByteRange& run_bytes, const ByteRange& asked, OpFamily of) {
  if (file == nullptr) return true;
  if (file->kind == FileKind::kBlock) return run.ino == file->rdev;
  if (!file->overlay) return run.ino == file->ino && run.dev == file->dev;
  const bool known = file->cache != kNone32;
  if (known && s.dirty.find_cache(run.dev, run.ino) == file->cache) return true;
  if (known && of == OpFamily::kMove) return false;  // the target's
  if (file->rdev != 0 && file->rdev != run.dev) return false;  // metadata, through the block device
  return length(overlap(run_bytes, asked)) > 0;
}

// The pages of a run that lie beyond what a read, a move or a fault asked for wait for a user. Returns their bytes.
uint64_t note_readahead(RebuildState& s, const wire_request_detail& record, RequestId id, const FileState* file,
                        ByteRange run, ByteRange asked) {
  const OpFamily of = family(record.request.op);
  if (file == nullptr || file->cache == kNone32) return 0;
  if (of == OpFamily::kMove && record.to_file == record.request.file) return 0;  // they can be the target's
  if (of != OpFamily::kRead && of != OpFamily::kFault && of != OpFamily::kMove) return 0;
  const ByteRange both = overlap(run, asked);
  if (length(both) == 0) {
    s.readahead.loaded(file->cache, run, id);
    return length(run);
  }
  s.readahead.loaded(file->cache, {run.begin, both.begin}, id);
  s.readahead.loaded(file->cache, {both.end, run.end}, id);
  return length(run) - length(both);
}

}  // namespace

const std::vector<Share>& use_readahead(RebuildState& s, const wire_request& request, const FileState* file) {
  static const std::vector<Share> kNobody;
  if (s.readahead.empty()) return kNobody;
  const OpFamily of = family(request.op);
  const bool reads = of == OpFamily::kRead || of == OpFamily::kFault || of == OpFamily::kMove;
  if (!reads || file == nullptr || file->cache == kNone32 || request.offset == WIRE_UNKNOWN) return kNobody;
  if (unfinished(request) || request.result < 0 || is_direct(s, request, file)) return kNobody;
  const ByteRange asked = asked_range(request, s.context.page_size);
  if (length(asked) == 0) return kNobody;
  return s.readahead.used(file->cache, {s.page_begin(asked.begin), s.page_end(asked.end)});
}

void use_mapped(RebuildState& s, const wire_request_detail& record, const FileState* file) {
  constexpr uint64_t kMaxPages = UINT64_MAX >> 20;
  if (family(record.request.op) != OpFamily::kFault || file == nullptr || file->cache == kNone32) return;
  if (record.map_last < record.map_first || record.map_last >= kMaxPages) return;
  const uint64_t page = s.context.page_size;
  s.readahead.used(file->cache, {record.map_first * page, (record.map_last + 1) * page});
}

void on_pages(RebuildState& s, HeldRequest& held, const wire_page_run& run) {
  held.page_runs++;
  if (run.pages == 0) return;
  if (held.runs.size() >= kMaxRuns) {
    held.crowded = true;
    return;
  }
  held.runs.push_back(run);
  s.add_details(held, 1);
}

CacheVerdict judge_cache(RebuildState& s, const wire_request_detail& record,
                         const HeldRequest& held, FileState* file) {
  CacheVerdict verdict;
  if (file != nullptr && !uses_page_cache(*file)) return verdict;  // pages of hugetlbfs enter its own
  const ByteRange asked = asked_range(record.request, s.context.page_size);
  const bool whole_pages = family(record.request.op) == OpFamily::kFault;
  const ByteRange asked_pages{s.page_begin(asked.begin), s.page_end(asked.end)};
  for (const wire_page_run& run : held.runs) {
    const ByteRange bytes = bytes_of_run(run, s.context.page_size);
    if (!is_of_file(s, run, file, bytes, asked_pages, family(record.request.op))) continue;
    if (file != nullptr && file->overlay) {
      file->cache = s.dirty.add_cache(run.dev, run.ino, file->id);
    }
    verdict.added = true;
    if (record.request.offset == WIRE_UNKNOWN) {
      verdict.miss_bytes += length(bytes);
      continue;
    }
    verdict.miss_bytes += length(overlap(bytes, whole_pages ? asked_pages : asked));
    verdict.readahead_bytes += length(bytes) - length(overlap(bytes, asked_pages));
    verdict.followed_bytes += note_readahead(s, record, held.id, file, bytes, asked_pages);
  }
  verdict.miss_bytes = std::min(verdict.miss_bytes, length(asked));
  return verdict;
}

}  // namespace iohops
