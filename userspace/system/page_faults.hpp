// Hands every page fault of user code to a BPF program, through the software event page-faults of
// each CPU: for machines whose kernel has no tracepoint for them. A CPU that comes online later is
// not seen.
#pragma once

#include <memory>
#include <vector>

#include "core/result.hpp"

struct bpf_link;
struct bpf_program;

namespace iohops {

struct LinkDestroy {
  void operator()(bpf_link* link) const;
};
using Links = std::vector<std::unique_ptr<bpf_link, LinkDestroy>>;

// One link for each CPU that is online, or the first refusal.
Result<Links> attach_to_page_faults(const bpf_program* program);

}  // namespace iohops
