// A minimal io_uring, enough for the lab's programs: registered buffers, a polling thread, provided
// buffers. liburing would do; these hundred lines spare every user of iohops a dependency.
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
  // Buffers for requests that choose one (group 0): all of `memory`, in parts of so many bytes.
  void provide(std::span<std::byte> memory, uint32_t part);
  void provide_again(uint16_t part);
  bool has(uint32_t features) const { return (params_.features & features) == features; }

  // Queues an entry, to be filled in further.
  io_uring_sqe& queue(uint8_t opcode, int fd, const void* address, uint32_t bytes, uint64_t offset);
  // Hands over what was queued and waits for `wait` completions; a polling thread is woken if it sleeps.
  void submit(uint32_t wait);
  // The next completion, taken, if there is one; throws if its request failed.
  bool take(io_uring_cqe& completion);

 private:
  uint32_t& word(std::byte* ring, uint32_t offset) { return *reinterpret_cast<uint32_t*>(ring + offset); }

  io_uring_params params_{};
  UniqueFd fd_;
  std::byte* sq_ = nullptr;
  std::byte* cq_ = nullptr;
  io_uring_sqe* entries_ = nullptr;
  uint32_t queued_ = 0;
  std::span<std::byte> provided_;
  uint32_t part_ = 0;
  io_uring_buf_ring* buffers_ = nullptr;
};

}  // namespace iohops::lab
