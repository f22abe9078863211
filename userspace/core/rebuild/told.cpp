#include "core/rebuild/told.hpp"

#include <algorithm>
#include <vector>

namespace iohops {
namespace {

constexpr uint32_t kThreadBits = 22;
constexpr uint32_t kThread = (1u << kThreadBits) - 1;

uint32_t slot_of(const wire_request& request) { return request.told >> 12 & (WIRE_TOLD_SLOTS - 1); }
uint32_t generation_of(const wire_request& request) { return request.told % WIRE_GENERATIONS; }

bool is_detailed(const wire_request& request) { return (request.flags & WIRE_REQUEST_DETAIL) != 0; }

uint64_t offset_of(const wire_same& same, const wire_request& told) {
  if ((same.kind & WIRE_SAME_AHEAD) != 0)
    return told.offset + static_cast<uint64_t>(int64_t{static_cast<int32_t>(same.place)});
  return (same.kind & WIRE_SAME_SECTOR) != 0 ? uint64_t{same.place} << 9 : WIRE_UNKNOWN;
}

}  // namespace

void ToldRequests::learn(Record record) {
  const auto& request = *view<wire_request>(record);
  if (request.told == 0) return;
  if (threads_.size() >= max_threads_ && threads_.find(request.tid) == nullptr) forget_silent();
  Thread& thread = threads_[request.tid];
  thread.used_ns = request.header.time_ns;
  Told& told = thread.slots[slot_of(request)];
  told.request = request;
  if (is_detailed(request)) {
    const auto detail = prefix<wire_request_detail>(record);
    told.run_by = detail.run_by;
    told.run_flags = detail.run_flags;
  }
}

Record ToldRequests::complete(Record record) {
  const auto& same = *view<wire_same>(record);
  Thread* thread = threads_.find(same.context & kThread);
  if (thread == nullptr) return {};
  const Told& slot = thread->slots[WIRE_SAME_SLOT_OF(same.kind)];
  const wire_request& told = slot.request;
  if (told.told == 0 || generation_of(told) != same.context >> kThreadBits) return {};
  thread->used_ns = same.time_ns;
  wire_request& request = whole_.request;
  request = told;
  request.header.time_ns = same.time_ns;
  request.start_ns = same.time_ns - same.duration_ns;
  request.offset = offset_of(same, told);
  request.told = 0;
  const auto* word = same.words;
  if ((same.kind & WIRE_SAME_BUFFER) != 0) request.buffer = *word++;
  if ((same.kind & WIRE_SAME_REQUESTED) != 0) request.requested = *word++;
  request.result = static_cast<int64_t>((same.kind & WIRE_SAME_RESULT) != 0 ? *word++ : request.requested);
  if (!WIRE_SAME_OF_BATCH(same.kind)) return bytes_of(request);
  // A ring's: nothing happened below it.
  request.flags |= WIRE_REQUEST_DETAIL;
  request.header.size = sizeof whole_;
  whole_.batch_ns = *word;
  whole_.run_by = slot.run_by;
  whole_.run_flags = slot.run_flags;
  whole_.to_offset = WIRE_UNKNOWN;
  whole_.to_fd = -1;
  return bytes_of(whole_);
}

// The half that spoke last stays.
void ToldRequests::forget_silent() {
  std::vector<std::pair<uint64_t, uint64_t>> used;
  used.reserve(threads_.size());
  threads_.for_each([&](uint64_t tid, const Thread& thread) { used.emplace_back(thread.used_ns, tid); });
  const auto middle = used.begin() + static_cast<ptrdiff_t>(used.size() / 2 + 1);
  std::nth_element(used.begin(), middle - 1, used.end());
  for (auto at = used.begin(); at != middle; ++at) threads_.erase(at->second);
}

}  // namespace iohops
