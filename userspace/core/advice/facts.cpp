#include "core/advice/facts.hpp"

#include <algorithm>
#include <string>

namespace iohops {
namespace {

constexpr uint64_t kPage = 4096;
constexpr int64_t kEinval = -22;

uint64_t waited(const Request& request) {
  uint64_t ns = 0;
  for (const Hop& hop : request.hops) {
    const bool io = hop.reason == WaitReason::kDevice || hop.reason == WaitReason::kPageLock;
    if (hop.kind == HopKind::kWait && io) ns += hop.end_ns - hop.at_ns;
  }
  return ns;
}

// sync_file_range starts writing early; it makes nothing durable.
bool is_sync(const Request& request) {
  return !request.moves_data && request.op.find("sync") != std::string_view::npos &&
         request.op.find("sync_file_range") == std::string_view::npos;
}

// Into the application's memory, not out of it. Its hops say it sooner than its name.
bool reads(const Request& request) {
  for (const Hop& hop : request.hops) {
    if (hop.kind == HopKind::kWait) continue;
    if (hop.to == Endpoint::kUser) return true;
    if (hop.from == Endpoint::kUser) return false;
  }
  return request.op.find("read") != std::string_view::npos || request.op.find("recv") != std::string_view::npos;
}

bool is_access(const Request& request) {
  return request.moves_data && request.to_file == 0 && request.submit != Submit::kStdio &&
         request.submit != Submit::kPageFault;
}

// The C library's streams call these and no other; nobody's stream gives the place in the file.
bool is_of_streams(const Request& request) {
  return request.submit == Submit::kSyscall && (request.op == "read" || request.op == "write");
}

bool take(Places& places, uint64_t place) {
  const auto found = std::find(places.at.begin(), places.at.end(), place);
  if (found == places.at.end()) return false;
  *found = UINT64_MAX;
  return true;
}

void add(Places& places, uint64_t place) { places.at[places.added++ % places.at.size()] = place; }

// Whether it begins where an earlier one ended. One that a device worked for is told after others that came later:
// it fills the gap that they left.
bool continues(AccessFacts& facts, uint64_t begin, uint64_t end) {
  if (begin == facts.next) {
    ++facts.sequential;
    facts.next = end;
    return true;
  }
  const bool follows = take(facts.ends, begin);
  if (!follows) add(facts.begins, begin);
  const bool precedes = take(facts.begins, end);
  facts.sequential += follows;
  facts.sequential += precedes;
  if (precedes) return follows;
  add(facts.ends, facts.next);
  facts.next = end;
  return follows;
}

// Buffers and places, from one access to the next.
void follow(AccessFacts& facts, const Request& request, uint64_t bytes) {
  const bool same_buffer = request.buffer != 0 && request.buffer == facts.buffer;
  if (same_buffer && request.requested == kPage && request.buffer % kPage != 0 && is_of_streams(request)) {
    ++facts.streamed;
    facts.streamed_bytes += bytes;
    facts.streams.add(request.id);
  }
  facts.buffer = request.buffer;
  if (!request.offset) return;
  facts.lowest = std::min(facts.lowest, *request.offset);
  facts.highest = std::max(facts.highest, *request.offset + bytes);
  if (!continues(facts, *request.offset, *request.offset + bytes)) return;
  if (request.requested.value_or(kPage) >= kPage) return;
  ++facts.small;
  facts.small_bytes += bytes;
  facts.small_ones.add(request.id);
}

// Of a direct read that nobody saw go through the page cache: it may be zeros of a hole, which nobody copies.
bool surely_copied(const Request& request) {
  return std::any_of(request.hops.begin(), request.hops.end(), [](const Hop& hop) {
    return hop.kind == HopKind::kCpuCopy && hop.transfer == 0 && hop.evidence != Evidence::kInferred;
  });
}

// The program can do nothing about those that the driver of a stacked device makes.
Count own_copies(const Request& request) {
  Count own{request.cpu_copies, request.cpu_copy_bytes};
  for (const Hop& hop : request.hops) {
    if (hop.kind != HopKind::kCpuCopy || hop.transfer == 0) continue;
    own.count -= own.count > 0;
    own.bytes -= std::min(own.bytes, hop.bytes);
  }
  return own;
}

}  // namespace

void Facts::add(const File& file) {
  if (names_.size() < kFiles) names_[file.id] = {file.path, file.kind};
}

void Facts::add(const Flow& flow) {
  const auto relayed = [this](uint32_t file) -> Relayed* {
    const auto known = relayed_.find(file);
    if (known != relayed_.end()) return &known->second;
    return relayed_.size() < kFiles ? &relayed_[file] : nullptr;
  };
  if (Relayed* from = relayed(flow.from_file)) from->read_bytes += flow.bytes;
  if (Relayed* to = relayed(flow.to_file)) to->written_bytes += flow.bytes;
}

Relayed Facts::relayed(uint32_t file) const {
  const auto known = relayed_.find(file);
  return known != relayed_.end() ? known->second : Relayed{};
}

std::string Facts::name(uint32_t file) const {
  const auto known = names_.find(file);
  return known != names_.end() ? known->second.path : "file " + std::to_string(file);
}

FileKind Facts::kind(uint32_t file) const {
  const auto known = names_.find(file);
  return known != names_.end() ? known->second.kind : FileKind::kOther;
}

FileFacts* Facts::of(const Request& request) {
  const uint64_t key = uint64_t{request.id.pid} << 32 | request.file;
  if (key != last_key_) {
    last_key_ = key;
    const size_t* known = index_.find(key);
    last_ = known != nullptr ? *known : kNobody;
    if (known == nullptr && files_.size() < kFiles) {
      last_ = index_[key] = files_.size();
      files_.emplace_back(Key{request.id.pid, request.file}, FileFacts{});
    }
  }
  return last_ != kNobody ? &files_[last_].second : nullptr;
}

void Facts::add_access(AccessFacts& facts, const Request& request) {
  if (request.direct && request.result == kEinval) {
    ++facts.refused;
    facts.refusals.add(request.id);
  }
  if (request.result <= 0) return;
  const auto [bytes, hit, awaited] = request.moved_bytes();
  ++facts.requests;
  facts.bytes += bytes;
  facts.mode_switches += request.mode_switches;
  const Count copies = own_copies(request);
  facts.copies += copies.count;
  facts.copied_bytes += copies.bytes;
  facts.hit_bytes += hit;
  facts.miss_bytes += request.miss_bytes;
  facts.device_bytes += request.dma_bytes;
  facts.duration_ns += request.duration_ns;
  if (request.off_cpu_ns > 0) facts.wait_ns += waited(request);
  if (facts.requests <= Proof::kMost) facts.first.add(request.id);  // a line of memory less to look at
  if (request.miss_bytes > 0) facts.missed.add(request.id);
  if (request.direct && request.path != Path::kDirect && surely_copied(request)) {
    ++facts.fallbacks;
    facts.fallback_bytes += copies.bytes;
    facts.fallen_back.add(request.id);
  }
  follow(facts, request, bytes);
}

// A read or write that tells no more than what it moved.
Facts::Sort Facts::sort_of(const Request& r) {
  const bool copied = r.hops.empty() || (r.hops.front().kind == HopKind::kCpuCopy && r.hops.front().transfer == 0);
  const bool plain = copied && r.hops.size() <= 1 && r.ended.empty() && !r.direct && r.path != Path::kZeroCopy;
  const bool cheap = r.off_cpu_ns == 0 && r.miss_bytes == 0 && r.dma_bytes == 0 && r.readahead_bytes == 0 &&
                     r.readahead_of.empty();
  if (!plain || !cheap || !is_access(r)) return Sort::kAny;
  return reads(r) ? Sort::kRead : Sort::kWrite;
}

// False: there is more to look at.
bool Facts::add_alike(const Request& request) {
  if (alike_.empty()) alike_.resize(Request::kAlike);
  auto& [number, sort] = alike_[request.alike % Request::kAlike];
  if (number != request.alike) {
    number = request.alike;
    sort = sort_of(request);
  }
  if (sort == Sort::kAny || request.result <= 0) return false;
  FileFacts* file = request.file != 0 ? of(request) : nullptr;
  if (file == nullptr) return true;
  AccessFacts& facts = sort == Sort::kRead ? file->reads : file->writes;
  const auto [bytes, hit, awaited] = request.moved_bytes();
  if (++facts.requests <= Proof::kMost) facts.first.add(request.id);
  facts.bytes += bytes;
  facts.mode_switches += request.mode_switches;
  facts.copies += request.cpu_copies;
  facts.copied_bytes += request.cpu_copy_bytes;
  facts.hit_bytes += hit;
  facts.duration_ns += request.duration_ns;
  follow(facts, request, bytes);
  if (sort == Sort::kWrite) file->syncs.written_bytes += bytes;
  return true;
}

void Facts::add_sync(SyncFacts& facts, const Request& request) {
  ++facts.requests;
  facts.duration_ns += request.duration_ns;
  facts.device_bytes += request.dma_bytes;
  facts.mode_switches += request.mode_switches;
  if (request.duration_ns < facts.slowest_ns) return;
  facts.slowest = request.id;
  facts.slowest_ns = request.duration_ns;
}

void Facts::add_zero_copy(const Request& request) {
  if (request.path != Path::kZeroCopy) return;
  uint64_t referenced = 0, copied = 0;
  for (const Hop& hop : request.hops) {
    if (hop.from != Endpoint::kUser || hop.to != Endpoint::kSocket) continue;
    if (hop.kind == HopKind::kRef) referenced += hop.bytes;
    if (hop.kind == HopKind::kCpuCopy) copied += hop.bytes;
  }
  if (referenced == 0) return;
  ++zero_copy_.requests;
  zero_copy_.bytes += referenced;
  zero_copy_.copied_bytes += copied;
  if (copied > 0) zero_copy_.proof.add(request.id);
}

void Facts::add_readahead(const Request& request) {
  const bool loads = request.readahead_followed_bytes > 0 && request.submit != Submit::kPageFault;
  if (!loads && request.readahead_of.empty()) return;
  const auto known = readahead_.find(request.file);
  if (known == readahead_.end() && (!loads || readahead_.size() >= kFiles)) return;
  ReadaheadFacts& facts = known != readahead_.end() ? known->second : readahead_[request.file];
  for (const Share& share : request.readahead_of) facts.used_bytes += share.bytes;
  if (!loads) return;
  facts.bytes += request.readahead_followed_bytes;
  facts.proof.add(request.id);
}

void Facts::add(const Request& request) {
  if (request.alike != 0 && add_alike(request)) return;
  if (!request.ended.empty()) return;
  if (request.submit == Submit::kStdio) {
    stdio_bytes_ += request.cpu_copy_bytes;
    if (request.cpu_copy_bytes > 0) stdio_proof_.add(request.id);
    return;
  }
  add_readahead(request);
  add_zero_copy(request);
  if (request.file == 0) return;
  FileFacts* facts = of(request);
  if (facts == nullptr) return;
  if (is_sync(request)) return add_sync(facts->syncs, request);
  if (!is_access(request)) return;
  const bool into_memory = reads(request);
  add_access(into_memory ? facts->reads : facts->writes, request);
  if (!into_memory) facts->syncs.written_bytes += request.returned_bytes();
}

}  // namespace iohops
