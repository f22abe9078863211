// Time off the CPU inside a request.
#include "core/rebuild/state.hpp"

namespace iohops {

void on_wait(RebuildState& s, HeldRequest& held, const wire_wait& record) {
  static constexpr WaitReason kReasons[] = {WaitReason::kOther, WaitReason::kDevice,
                                            WaitReason::kPageLock, WaitReason::kThrottled,
                                            WaitReason::kPreempted};
  held.waits++;
  Hop hop;
  hop.kind = HopKind::kWait;
  hop.evidence = Evidence::kObserved;
  if (record.reason < std::size(kReasons)) hop.reason = kReasons[record.reason];
  held.io_waited |= hop.reason == WaitReason::kDevice || hop.reason == WaitReason::kPageLock;
  if (held.hops.size() >= kMaxHops) {
    held.crowded = true;
    return;
  }
  const uint64_t begin = std::max<uint64_t>(record.begin_ns, held.owner.start_ns);
  hop.at_ns = s.since_start(begin);
  hop.end_ns = std::max(hop.at_ns, s.since_start(record.header.time_ns));
  held.hops.push_back(hop);
  s.add_details(held, 1);
}

}  // namespace iohops
