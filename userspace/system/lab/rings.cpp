// Programs that submit reads of files to rings: io_uring, libaio.
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "system/lab/uring.hpp"

namespace iohops::lab {
namespace {

constexpr uint32_t kBatch = 32;
constexpr uint32_t kPart = 16384;
constexpr size_t kParts = kPayload / kPart;

struct How {
  int open_flags = 0;
  uint32_t setup = 0;
  bool fixed = false;
  const char* said = "";
};

void take(Uring& ring, uint32_t count) {
  for (uint32_t taken = 0; taken < count;) {
    io_uring_cqe completion;
    if (!ring.take(completion)) {
      sched_yield();  // a polling thread's completions come without a call
      continue;
    }
    if (completion.res != static_cast<int32_t>(kPart)) throw std::runtime_error("a short read by io_uring");
    taken++;
  }
}

void read_by_uring(Run& run, const How& how) {
  const UniqueFd file = run.file(how.open_flags);
  Buffer got(kPayload);
  Uring ring(kBatch, how.setup);
  if (how.fixed) ring.register_buffer(got.bytes());
  ring.register_file(file.get());
  const uint8_t opcode = how.fixed ? IORING_OP_READ_FIXED : IORING_OP_READ;
  // A polling thread is asleep until it is woken once.
  ring.queue(opcode, 0, got.data(), kPart, 0).flags = IOSQE_FIXED_FILE;
  ring.submit(1);
  // The first call of it faults its page in, and a fault is a request with two mode switches: not while
  // counting, as it would be where the first read was completed before take() looked.
  sched_yield();
  take(ring, 1);
  run.begin();
  for (size_t first = 0; first < kParts; first += kBatch) {
    for (size_t i = first; i < first + kBatch; ++i)
      ring.queue(opcode, 0, got.data() + i * kPart, kPart, i * kPart).flags = IOSQE_FIXED_FILE;
    ring.submit(kBatch);
    take(ring, kBatch);
  }
  run.end(kPayload, kParts / kBatch, how.said);
  run.expect_payload(got.bytes());
}

void uring_cached(Run& run) {
  read_by_uring(run, {0, 0, false, "8 x 32 reads of 16 KiB, cached"});
}
void uring_direct(Run& run) {
  read_by_uring(run, {O_DIRECT, 0, false, "8 x 32 reads of 16 KiB, O_DIRECT"});
}
void uring_fixed(Run& run) {
  read_by_uring(run, {O_DIRECT, 0, true, "8 x 32 reads of 16 KiB, registered buffers"});
}
void uring_sqpoll(Run& run) {
  read_by_uring(run, {O_DIRECT, IORING_SETUP_SQPOLL, false, "8 x 32 reads of 16 KiB, no call"});
}

// Without polled queues the device still interrupts, and the call waits for that.
void uring_iopoll(Run& run) {
  read_by_uring(run, {O_DIRECT, IORING_SETUP_IOPOLL, false, "8 x 32 reads of 16 KiB, polled for"});
}

class AioContext {
 public:
  explicit AioContext(unsigned depth) {
    if (syscall(SYS_io_setup, depth, &context_) != 0)
      throw Unavailable(std::string("libaio cannot be set up: ") + std::strerror(errno));
  }
  ~AioContext() { syscall(SYS_io_destroy, context_); }
  AioContext(const AioContext&) = delete;
  AioContext& operator=(const AioContext&) = delete;
  aio_context_t get() const { return context_; }

 private:
  aio_context_t context_ = 0;
};

void aio_direct(Run& run) {
  constexpr size_t kDepth = 8;
  const UniqueFd file = run.file(O_DIRECT);
  Buffer got(kPayload);
  const AioContext context(kDepth);
  std::array<iocb, kDepth> blocks{};
  std::array<iocb*, kDepth> pointers{};
  std::array<io_event, kDepth> events{};
  run.begin();
  for (size_t at = 0; at < kPayload; at += kDepth * kPart) {
    for (size_t i = 0; i < kDepth; ++i) {
      const size_t offset = at + i * kPart;
      blocks[i] = {};
      blocks[i].aio_lio_opcode = IOCB_CMD_PREAD;
      blocks[i].aio_fildes = static_cast<uint32_t>(file.get());
      blocks[i].aio_buf = reinterpret_cast<uint64_t>(got.data() + offset);
      blocks[i].aio_nbytes = kPart;
      blocks[i].aio_offset = static_cast<int64_t>(offset);
      pointers[i] = &blocks[i];
    }
    if (check(syscall(SYS_io_submit, context.get(), kDepth, pointers.data()), "io_submit") != kDepth ||
        check(syscall(SYS_io_getevents, context.get(), kDepth, kDepth, events.data(), nullptr),
              "io_getevents") != kDepth)
      throw std::runtime_error("a short batch of libaio");
  }
  run.end(kPayload, kParts / kDepth, "32 x 8 reads of 16 KiB, O_DIRECT");
  run.expect_payload(got.bytes());
}

constexpr Named kPrograms[] = {{"uring", uring_cached},
                               {"uring-direct", uring_direct},
                               {"uring-fixed", uring_fixed},
                               {"uring-sqpoll", uring_sqpoll},
                               {"uring-iopoll", uring_iopoll},
                               {"aio-direct", aio_direct}};

}  // namespace

std::span<const Named> ring_programs() { return kPrograms; }

}  // namespace iohops::lab
