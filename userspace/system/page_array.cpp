#include "system/page_array.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>

#include "system/unique_fd.hpp"

namespace iohops {
namespace {

// Documentation/admin-guide/mm/pagemap.rst
constexpr uint64_t kPresent = uint64_t{1} << 63;
constexpr uint64_t kFrameMask = (uint64_t{1} << 55) - 1;

Error cannot(const std::string& why) {
  return {ErrorKind::kKernel, "cannot tell which page a physical address is: " + why};
}

// The frame number behind one page of the ring; 0: not to be had.
uint64_t frame_of(int pagemap, int ring_fd, off_t offset, int protection, size_t page_bytes) {
  void* memory = mmap(nullptr, page_bytes, protection, MAP_SHARED, ring_fd, offset);
  if (memory == MAP_FAILED) return 0;
  uint64_t entry = 0;
  const auto at =
      static_cast<off_t>(reinterpret_cast<uintptr_t>(memory) / page_bytes * sizeof entry);
  const bool read = pread(pagemap, &entry, sizeof entry, at) == sizeof entry;
  munmap(memory, page_bytes);
  return read && (entry & kPresent) != 0 ? entry & kFrameMask : 0;
}

}  // namespace

Result<uint64_t> find_page_array(int ring_fd, const RingPages& pages) {
  const UniqueFd pagemap(open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));
  if (!pagemap) return cannot(std::string("/proc/self/pagemap: ") + std::strerror(errno));
  const auto bytes = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  // The consumer's page is the first and writable, the producer's the second and is not.
  const uint64_t consumer = frame_of(pagemap.get(), ring_fd, 0, PROT_READ | PROT_WRITE, bytes);
  const uint64_t producer =
      frame_of(pagemap.get(), ring_fd, static_cast<off_t>(bytes), PROT_READ, bytes);
  if (consumer == 0 || producer == 0)
    return cannot("/proc/self/pagemap shows no frame numbers (they need CAP_SYS_ADMIN)");
  const uint64_t array = pages.page[0] - consumer * pages.page_bytes;
  if (array != pages.page[1] - producer * pages.page_bytes || pages.page_bytes == 0)
    return cannot("this kernel's struct pages are not one array");
  return array;
}

}  // namespace iohops
