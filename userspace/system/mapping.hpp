// Mapping: memory that mmap gave, given back when it goes out of scope.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <memory>

namespace iohops {

struct Unmap {
  using pointer = void*;
  void operator()(void* memory) const { munmap(memory, bytes); }
  size_t bytes = 0;
};
using Mapping = std::unique_ptr<void, Unmap>;

// Empty if it is refused: errno says why.
inline Mapping map_pages(void* at, size_t bytes, int protection, int flags, int fd, off_t offset) {
  void* memory = mmap(at, bytes, protection, flags, fd, offset);
  return memory == MAP_FAILED ? Mapping() : Mapping(memory, Unmap{bytes});
}

}  // namespace iohops
