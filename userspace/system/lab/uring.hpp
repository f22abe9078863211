// A minimal io_uring, enough for the lab's programs: reads, registered buffers, a polling thread.
// liburing would do; these hundred lines spare every user of iohops a dependency.
#pragma once

#include <linux/io_uring.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "system/lab/program.hpp"
#include "system/unique_fd.hpp"

namespace iohops::lab {

class Uring {
 public:
  // `flags`: IORING_SETUP_*. Throws Unavailable where the kernel has none or refuses it.
  Uring(uint32_t entries, uint32_t flags);
  ~Uring();
  Uring(const Uring&) = delete;
  Uring& operator=(const Uring&) = delete;

  void register_buffer(std::span<std::byte> buffer);
  void register_file(int fd);
  void read(int fd, std::byte* to, uint32_t bytes, uint64_t offset, uint8_t opcode, uint8_t flags);
  // Hands over what was queued and waits for `wait` completions; a polling thread is woken if it sleeps.
  void submit(uint32_t wait);
  // The result of the next completion, taken; throws if it failed.
  bool take(int32_t& result);

 private:
  uint32_t& word(std::byte* ring, uint32_t offset) { return *reinterpret_cast<uint32_t*>(ring + offset); }

  io_uring_params params_{};
  UniqueFd fd_;
  std::byte* sq_ = nullptr;
  std::byte* cq_ = nullptr;
  io_uring_sqe* entries_ = nullptr;
  uint32_t queued_ = 0;
};

}  // namespace iohops::lab
