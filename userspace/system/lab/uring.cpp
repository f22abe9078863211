#include "system/lab/uring.hpp"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <string>

namespace iohops::lab {
namespace {

std::byte* map_ring(int fd, size_t bytes, off_t offset) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, offset);
  check(memory == MAP_FAILED ? -1 : 0, "mmap of io_uring");
  return static_cast<std::byte*>(memory);
}

size_t sq_bytes(const io_uring_params& p) { return p.sq_off.array + p.sq_entries * sizeof(uint32_t); }
size_t cq_bytes(const io_uring_params& p) { return p.cq_off.cqes + p.cq_entries * sizeof(io_uring_cqe); }

}  // namespace

Uring::Uring(uint32_t entries, uint32_t flags) {
  params_.flags = flags;
  params_.sq_thread_idle = 1000;  // milliseconds
  const long fd = syscall(SYS_io_uring_setup, entries, &params_);
  if (fd < 0) throw Unavailable(std::string("io_uring cannot be set up: ") + std::strerror(errno));
  fd_ = UniqueFd(static_cast<int>(fd));
  sq_ = map_ring(fd_.get(), sq_bytes(params_), IORING_OFF_SQ_RING);
  cq_ = map_ring(fd_.get(), cq_bytes(params_), IORING_OFF_CQ_RING);
  entries_ = reinterpret_cast<io_uring_sqe*>(
      map_ring(fd_.get(), params_.sq_entries * sizeof(io_uring_sqe), IORING_OFF_SQES));
}

Uring::~Uring() {
  munmap(sq_, sq_bytes(params_));
  munmap(cq_, cq_bytes(params_));
  munmap(entries_, params_.sq_entries * sizeof(io_uring_sqe));
  if (buffers_ != nullptr) munmap(buffers_, provided_.size() / part_ * sizeof(io_uring_buf));
}

void Uring::register_buffer(std::span<std::byte> buffer) {
  const iovec vector{buffer.data(), buffer.size()};
  check(syscall(SYS_io_uring_register, fd_.get(), IORING_REGISTER_BUFFERS, &vector, 1),
        "IORING_REGISTER_BUFFERS");
}

void Uring::register_file(int fd) {
  check(syscall(SYS_io_uring_register, fd_.get(), IORING_REGISTER_FILES, &fd, 1),
        "IORING_REGISTER_FILES");
}

// The kernel reads the ring of buffers in a page of its own.
void Uring::provide(std::span<std::byte> memory, uint32_t part) {
  provided_ = memory;
  part_ = part;
  const size_t parts = memory.size() / part;
  void* ring = mmap(nullptr, parts * sizeof(io_uring_buf), PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  check(ring == MAP_FAILED ? -1 : 0, "mmap of the ring of buffers");
  buffers_ = static_cast<io_uring_buf_ring*>(ring);
  io_uring_buf_reg wanted{};
  wanted.ring_addr = reinterpret_cast<uint64_t>(ring);
  wanted.ring_entries = static_cast<uint32_t>(parts);
  if (syscall(SYS_io_uring_register, fd_.get(), IORING_REGISTER_PBUF_RING, &wanted, 1) != 0)
    throw Unavailable(std::string("this kernel takes no ring of buffers: ") + std::strerror(errno));
  for (size_t i = 0; i < parts; ++i) provide_again(static_cast<uint16_t>(i));
}

void Uring::provide_again(uint16_t part) {
  const size_t mask = provided_.size() / part_ - 1;
  // Not buffers_->bufs, which a C++ compiler places behind an empty structure of one byte.
  auto* entries = reinterpret_cast<io_uring_buf*>(buffers_);
  const std::atomic_ref<uint16_t> tail(buffers_->tail);
  const uint16_t at = tail.load(std::memory_order_relaxed);
  io_uring_buf& entry = entries[at & mask];
  entry.addr = reinterpret_cast<uint64_t>(provided_.data() + size_t{part} * part_);
  entry.len = part_;
  entry.bid = part;
  tail.store(static_cast<uint16_t>(at + 1), std::memory_order_release);
}

io_uring_sqe& Uring::queue(uint8_t opcode, int fd, const void* address, uint32_t bytes, uint64_t offset) {
  const uint32_t mask = params_.sq_entries - 1;
  const uint32_t index = (word(sq_, params_.sq_off.tail) + queued_) & mask;
  io_uring_sqe& entry = entries_[index];
  entry = {};
  entry.opcode = opcode;
  entry.fd = fd;
  entry.addr = reinterpret_cast<uint64_t>(address);
  entry.len = bytes;
  entry.off = offset;
  word(sq_, params_.sq_off.array + index * static_cast<uint32_t>(sizeof(uint32_t))) = index;
  queued_++;
  return entry;
}

void Uring::submit(uint32_t wait) {
  std::atomic_ref<uint32_t> tail(word(sq_, params_.sq_off.tail));
  tail.store(tail.load(std::memory_order_relaxed) + queued_, std::memory_order_release);
  const uint32_t queued = queued_;
  queued_ = 0;
  if ((params_.flags & IORING_SETUP_SQPOLL) != 0) {
    std::atomic_thread_fence(std::memory_order_seq_cst);
    const std::atomic_ref<uint32_t> flags(word(sq_, params_.sq_off.flags));
    if ((flags.load(std::memory_order_relaxed) & IORING_SQ_NEED_WAKEUP) != 0)
      check(syscall(SYS_io_uring_enter, fd_.get(), 0, 0, IORING_ENTER_SQ_WAKEUP, nullptr, 0),
            "io_uring_enter");
    return;
  }
  check(syscall(SYS_io_uring_enter, fd_.get(), queued, wait, IORING_ENTER_GETEVENTS, nullptr, 0),
        "io_uring_enter");
}

bool Uring::take(io_uring_cqe& completion) {
  uint32_t& head = word(cq_, params_.cq_off.head);
  const std::atomic_ref<uint32_t> tail(word(cq_, params_.cq_off.tail));
  if (head == tail.load(std::memory_order_acquire)) return false;
  const auto* completions = reinterpret_cast<const io_uring_cqe*>(cq_ + params_.cq_off.cqes);
  std::memcpy(&completion, &completions[head & (params_.cq_entries - 1)], sizeof completion);
  std::atomic_ref<uint32_t>(head).store(head + 1, std::memory_order_release);
  if (completion.res < 0) {
    errno = -completion.res;
    if (errno == EOPNOTSUPP) throw Unavailable("the file system or the disk does not do this for io_uring");
    check(-1, "a request of io_uring");
  }
  return true;
}

}  // namespace iohops::lab
