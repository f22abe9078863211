// Reads and writes of one file: hot, cold, direct, at the edges.
#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <numeric>
#include <random>
#include <thread>

#include "workload.hpp"

namespace workload {
namespace {

off_t wrapped(const Options& o, size_t i) {
  return static_cast<off_t>(i * o.block % (o.size / o.block * o.block));
}

void hot_pread(Run& run) {
  const Options& o = run.options;
  const int fd = open_filled(o, O_RDONLY, Cache::kWarm);
  Aligned buffer(o.block);
  run.start();
  for (size_t i = 0; i < o.count; ++i) run.calls.pread(fd, buffer.data(), o.block, wrapped(o, i));
  run.stop();
}

void cold_sequential(Run& run) {
  const Options& o = run.options;
  const int fd = open_filled(o, O_RDONLY, Cache::kCold);
  Aligned buffer(o.block);
  run.start();
  for (size_t at = 0; at < o.size; at += o.block)
    run.calls.read(fd, buffer.data(), o.block, static_cast<int64_t>(at));
  run.facts["resident_pages"] = static_cast<int64_t>(resident_pages(fd, o.size));
  run.stop();
}

// Distinct pages in a shuffled but fixed order, without readahead: each one is a miss.
void cold_random(Run& run) {
  const Options& o = run.options;
  const int fd = open_filled(o, O_RDONLY, Cache::kCold);
  posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
  std::vector<size_t> blocks(o.size / o.block);
  std::iota(blocks.begin(), blocks.end(), 0);
  std::shuffle(blocks.begin(), blocks.end(), std::mt19937(42));
  blocks.resize(std::min(blocks.size(), o.count));
  Aligned buffer(o.block);
  run.start();
  for (const size_t b : blocks)
    run.calls.pread(fd, buffer.data(), o.block, static_cast<off_t>(b * o.block));
  run.facts["resident_pages"] = static_cast<int64_t>(resident_pages(fd, o.size));
  run.stop();
}

void buffered_write(Run& run) {
  const Options& o = run.options;
  const int fd = open_empty(o, O_WRONLY);
  Aligned buffer(o.block);
  run.start();
  for (size_t i = 0; i < o.count; ++i)
    run.calls.write(fd, buffer.data(), o.block, static_cast<int64_t>(i * o.block));
  run.stop();
}

void append(Run& run) {
  const Options& o = run.options;
  const int fd = open_filled(o, O_WRONLY | O_APPEND, Cache::kWarm);
  Aligned buffer(o.block);
  run.start();
  for (size_t i = 0; i < o.count; ++i)
    run.calls.write(fd, buffer.data(), o.block, static_cast<int64_t>(o.size + i * o.block));
  run.stop();
}

// 100 bytes in the middle of a page that is not in the cache: the kernel must read it first.
void read_modify_write(Run& run) {
  const Options& o = run.options;
  const int fd = open_filled(o, O_RDWR, Cache::kCold);
  posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
  Aligned buffer(100);
  run.start();
  for (size_t i = 0; i < o.count; ++i)
    run.calls.pwrite(fd, buffer.data(), 100, static_cast<off_t>(i * 65536 % o.size + 1000));
  run.stop();
}

void direct_read(Run& run) {
  const Options& o = run.options;
  const int fd = open_filled(o, O_RDONLY | O_DIRECT, Cache::kCold);
  Aligned buffer(o.block);
  run.start();
  for (size_t i = 0; i < o.count; ++i) run.calls.pread(fd, buffer.data(), o.block, wrapped(o, i));
  run.stop();
}

void direct_write(Run& run) {
  const Options& o = run.options;
  const int fd = open_filled(o, O_RDWR | O_DIRECT, Cache::kCold);
  Aligned buffer(o.block);
  run.start();
  for (size_t i = 0; i < o.count; ++i) run.calls.pwrite(fd, buffer.data(), o.block, wrapped(o, i));
  run.stop();
}

void vectored(Run& run) {
  const Options& o = run.options;
  const int fd = open_filled(o, O_RDWR, Cache::kWarm);
  Aligned a(4096), b(4096), c(4096);
  const iovec v[] = {{a.data(), 100}, {b.data(), 3000}, {c.data(), 996}};
  run.start();
  for (size_t i = 0; i < o.count; ++i) {
    run.calls.readv(fd, v, 3, static_cast<int64_t>(i * 4096));
    run.calls.preadv(fd, v, 3, wrapped(o, i));
    run.calls.pwritev2(fd, v, 3, wrapped(o, i), 0);
  }
  run.stop();
}

void hole(Run& run) {
  const Options& o = run.options;
  const int fd = open_empty(o, O_RDWR);
  if (ftruncate(fd, static_cast<off_t>(o.size)) != 0 || ::fsync(fd) != 0) fail("making a hole");
  Aligned buffer(o.block);
  run.start();
  for (size_t at = 0; at < o.size; at += o.block)
    run.calls.pread(fd, buffer.data(), o.block, static_cast<off_t>(at));
  run.stop();
}

// A short read at the end, then reads that return nothing, then calls that fail.
void edges(Run& run) {
  const Options& o = run.options;
  const int fd = open_filled(o, O_RDONLY, Cache::kWarm);
  Aligned buffer(o.block);
  const auto end = static_cast<off_t>(o.size);
  run.start();
  run.calls.pread(fd, buffer.data(), o.block, end - 1000);
  run.calls.pread(fd, buffer.data(), o.block, end);
  run.calls.pread(fd, buffer.data(), o.block, end + 123456);
  run.calls.pread(fd, buffer.data(), 0, 0);
  run.calls.pread(1000, buffer.data(), o.block, 0);              // EBADF
  run.calls.pwrite(fd, buffer.data(), o.block, 0);               // EBADF: not for writing
  run.calls.pread(fd, reinterpret_cast<void*>(16), o.block, 0);  // EFAULT
  run.calls.pread(fd, buffer.data(), o.block, -1);               // EINVAL
  run.stop();
}

void pipe_and_socket(Run& run) {
  const Options& o = run.options;
  int pipe_fd[2], socket_fd[2];
  if (pipe(pipe_fd) != 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, socket_fd) != 0) fail("pipe");
  Aligned buffer(o.block);
  run.start();
  for (size_t i = 0; i < o.count; ++i) {
    run.calls.write(pipe_fd[1], buffer.data(), o.block);
    run.calls.read(pipe_fd[0], buffer.data(), o.block);
    run.calls.write(socket_fd[0], buffer.data(), o.block);
    run.calls.read(socket_fd[1], buffer.data(), o.block);
  }
  run.stop();
}

void devices(Run& run) {
  const Options& o = run.options;
  const int null = ::open("/dev/null", O_WRONLY), zero = ::open("/dev/zero", O_RDONLY);
  if (null < 0 || zero < 0) fail("/dev/null, /dev/zero");
  Aligned buffer(o.block);
  run.start();
  for (size_t i = 0; i < o.count; ++i) {
    run.calls.write(null, buffer.data(), o.block);
    run.calls.read(zero, buffer.data(), o.block);
  }
  run.stop();
}

// Reads a cached page until it is told to end, COUNT milliseconds at most, in real time where that
// is allowed, so that a gap is what happened to it and not somebody else's turn: how long it was
// away at most. It rests for a fifth of the time: what runs in real time without a pause is stopped
// for 50 ms of each second (sched_rt_runtime_us), as soon as others want to run.
void steady(Run& run) {
  using Clock = std::chrono::steady_clock;
  constexpr auto kBurst = std::chrono::milliseconds(40);
  const Options& o = run.options;
  const int fd = open_filled(o, O_RDONLY, Cache::kWarm);
  Aligned buffer(o.block);
  sched_param parameter = {};
  parameter.sched_priority = 1;
  run.facts["real_time"] = sched_setscheduler(0, SCHED_FIFO, &parameter) == 0;
  run.start();
  Clock::duration gap{};
  int64_t reads = 0;
  const Clock::time_point begin = Clock::now();
  const Clock::time_point end = begin + std::chrono::milliseconds(o.count);
  Clock::time_point rest = begin + kBurst;
  sigset_t told;
  sigemptyset(&told);
  for (Clock::time_point before = begin; before < end; ++reads) {
    if (::pread(fd, buffer.data(), o.block, 0) != static_cast<ssize_t>(o.block)) fail("pread");
    const Clock::time_point now = Clock::now();
    gap = std::max(gap, now - before);
    before = now;
    if (now < rest) continue;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    sigpending(&told);
    if (sigismember(&told, SIGUSR1) == 1) break;  // left for run.stop()
    before = Clock::now();
    rest = before + kBurst;
  }
  run.facts["reads"] = reads;
  run.facts["largest_gap_us"] = std::chrono::duration_cast<std::chrono::microseconds>(gap).count();
  run.stop();
}

// A little of everything, for people: the same file cold, hot and direct, and a second one written.
void tour(Run& run) {
  const Options& o = run.options;
  Options second = o;
  second.path += ".copy";
  const int in = open_filled(o, O_RDONLY, Cache::kCold);
  const int out = open_empty(second, O_WRONLY);
  const int direct = ::open(o.path.c_str(), O_RDONLY | O_DIRECT);
  if (direct < 0) fail(o.path);
  Aligned buffer(65536);
  run.start();
  for (size_t at = 0; at < o.size; at += 65536)
    run.calls.read(in, buffer.data(), 65536, static_cast<int64_t>(at));
  for (size_t at = 0; at < o.size; at += 4096)
    run.calls.pread(in, buffer.data(), 4096, static_cast<off_t>(at));
  for (size_t i = 0; i < o.count; ++i) run.calls.write(out, buffer.data(), 16384);
  run.calls.fsync(out);
  for (size_t i = 0; i < o.count / 4; ++i)
    run.calls.pread(direct, buffer.data(), 65536, static_cast<off_t>(i * 65536 % o.size));
  run.stop();
}

}  // namespace

const std::vector<Entry> kFileModes = {
    {"hot_pread", hot_pread, "COUNT preads of pages in the cache"},
    {"steady", steady, "preads for COUNT ms, and the largest gap between two"},
    {"cold_sequential", cold_sequential, "the whole file by read, nothing cached"},
    {"cold_random", cold_random, "COUNT distinct blocks in random order, no readahead"},
    {"buffered_write", buffered_write, "COUNT writes to an empty file"},
    {"append", append, "COUNT writes with O_APPEND"},
    {"read_modify_write", read_modify_write, "100 bytes into COUNT pages that are not cached"},
    {"direct_read", direct_read, "COUNT preads with O_DIRECT"},
    {"direct_write", direct_write, "COUNT pwrites with O_DIRECT"},
    {"vectored", vectored, "COUNT each of readv, preadv, pwritev2 with three segments"},
    {"hole", hole, "the whole of a file without blocks"},
    {"edges", edges, "short, empty and failing requests"},
    {"pipe_and_socket", pipe_and_socket, "COUNT round trips through a pipe and a socket pair"},
    {"tour", tour, "cold, hot and direct reads, writes and an fsync: what `make demo` traces"},
    {"devices", devices, "COUNT writes to /dev/null and reads of /dev/zero"},
};

}  // namespace workload
