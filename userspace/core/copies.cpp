#include "core/copies.hpp"

#include <algorithm>

namespace iohops {

CopyChoice choose_copy_hooks(const CopyObservations& seen, uint64_t bytes) {
  CopyChoice choice;
  std::array<uint64_t, kCopyProbes> sum{};
  for (size_t hook = 0; hook < WIRE_COPY_HOOKS; ++hook) {
    bool twice = false;
    for (size_t probe = 0; probe < kCopyProbes; ++probe)
      twice = twice || sum[probe] + seen[probe][hook] > bytes;
    if (twice) continue;
    choice.hooks.set(hook);
    for (size_t probe = 0; probe < kCopyProbes; ++probe) sum[probe] += seen[probe][hook];
  }
  const auto exact = [&](CopyProbe read, CopyProbe write) {
    return sum[static_cast<size_t>(read)] == bytes && sum[static_cast<size_t>(write)] == bytes;
  };
  choice.measured = {.files = exact(CopyProbe::kFileRead, CopyProbe::kFileWrite),
                     .pipes = exact(CopyProbe::kPipeRead, CopyProbe::kPipeWrite),
                     .sockets = exact(CopyProbe::kSocketRead, CopyProbe::kSocketWrite)};
  return choice;
}

Copy weigh_copy(const Copy& derived, uint64_t measured, bool sees_all) {
  if (measured == derived.bytes) return {measured, Evidence::kMeasured, false};
  const bool guess = derived.evidence == Evidence::kInferred;
  // Nothing was reported: what was only inferred did not happen, what was derived took a path
  // without a hook.
  if (measured == 0) return sees_all && guess ? Copy{0, Evidence::kMeasured, false} : derived;
  // A hook can be skipped by the kernel (recursion), so fewer bytes prove nothing where all are
  // copied for certain.
  if (measured < derived.bytes && sees_all && !guess)
    return {derived.bytes, derived.evidence, true};
  // More: a copy that was cut short by a page fault is repeated.
  return {measured, Evidence::kMeasured, sees_all && !guess};
}

}  // namespace iohops
