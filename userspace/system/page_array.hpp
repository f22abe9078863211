// Where the kernel keeps its array of all struct page, which turns a physical address into a page.
// Sees this process's page table (/proc/self/pagemap) and one ring buffer; no BPF program.
#pragma once

#include <array>
#include <cstdint>

#include "core/result.hpp"

namespace iohops {

// The struct page (kernel addresses) of the first two pages that a ring buffer maps, and its size.
struct RingPages {
  std::array<uint64_t, 2> page{};
  uint64_t page_bytes = 0;
};

// The address of struct page number 0. Both pages must lead to the same one: where the array has
// holes in its addresses (no CONFIG_SPARSEMEM_VMEMMAP) they do not. Reading frame numbers needs
// CAP_SYS_ADMIN.
Result<uint64_t> find_page_array(int ring_fd, const RingPages& pages);

}  // namespace iohops
