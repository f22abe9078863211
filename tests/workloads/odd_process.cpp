// Processes as they rarely are: a parent that waits in vfork, an exec by a thread that is not the
// first, threads that live for one request, system calls of 32-bit programs.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <thread>

#include "workload.hpp"

namespace workload {
namespace {

off_t wrapped(const Options& o, size_t i) {
  return static_cast<off_t>(i * o.block % (o.size / o.block * o.block));
}

void read_all(Calls& calls, const Options& o, int fd, std::byte* to) {
  for (size_t i = 0; i < o.count; ++i) calls.pread(fd, to, o.block, wrapped(o, i));
}

// Bytes that a child of vfork read. A function of its own: what it keeps in registers, the child
// may spoil.
[[gnu::noinline]] int64_t read_in_child(const Options& o, int fd, std::byte* to) {
  static int64_t bytes;
  bytes = 0;
  const pid_t child = vfork();
  if (child < 0) fail("vfork");
  if (child == 0) {
    for (size_t k = 0; k < o.count; ++k) bytes += ::pread(fd, to, o.block, wrapped(o, k));
    _exit(0);
  }
  while (waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  return bytes;
}

// THREADS children read COUNT blocks each, in the memory of their parent, which waits for them
// uninterruptibly; then it reads as many itself.
void vforking(Run& run) {
  const Options& o = run.options;
  const int fd = open_filled(o, O_RDONLY, Cache::kWarm);
  Aligned buffer(o.block);
  int64_t child_bytes = 0;
  run.start();
  for (unsigned i = 0; i < o.threads; ++i) child_bytes += read_in_child(o, fd, buffer.data());
  read_all(run.calls, o, fd, buffer.data());
  run.facts["child_requests"] = static_cast<int64_t>(o.threads * o.count);
  run.facts["child_bytes"] = child_bytes;
  run.stop();
}

// A second thread turns the process into a new image of itself, while others read: they are gone
// then.
void thread_exec(Run& run) {
  const Options& o = run.options;
  if (!o.carry.empty()) {
    const int fd = ::open(o.path.c_str(), O_RDONLY);
    if (fd < 0) fail(o.path);
    Aligned buffer(o.block);
    read_all(run.calls, o, fd, buffer.data());
    run.facts["before_exec"] = std::stoll(o.carry);
    run.stop();
    return;
  }
  const int fd = open_filled(o, O_RDONLY, Cache::kWarm);
  Aligned buffer(o.block);
  run.start();
  read_all(run.calls, o, fd, buffer.data());
  std::thread([&] {
    const std::string count = std::to_string(o.count), size = std::to_string(o.size),
                      done = std::to_string(o.done_fd);
    close(fd);
    execl("/proc/self/exe", "io_after_exec", "thread_exec", o.path.c_str(), "--count",
          count.c_str(), "--size", size.c_str(), "--done-fd", done.c_str(),
          o.barrier ? "--barrier" : "--", "--carry", count.c_str(), nullptr);
    fail("exec");
  }).join();
}

// One after the other; each makes COUNT requests and is gone.
void brief_threads(Run& run) {
  const Options& o = run.options;
  const int fd = open_filled(o, O_RDONLY, Cache::kWarm);
  Aligned buffer(o.block);
  run.start();
  for (unsigned i = 0; i < o.threads; ++i)
    std::thread([&] { read_all(run.calls, o, fd, buffer.data()); }).join();
  run.stop();
}

// COUNT writes as a 32-bit program makes them, and COUNT of our own. "supported": whether the
// kernel knows the former.
void compat(Run& run) {
#if defined(__x86_64__)
  const Options& o = run.options;
  const int fd = open_empty(o, O_WRONLY);
  void* low = mmap(nullptr, 4096, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT | MAP_POPULATE, -1, 0);
  if (low == MAP_FAILED) fail("mmap below 4 GiB");
  constexpr int kWriteOfI386 = 4;
  int64_t written = 0;
  run.start();
  for (size_t i = 0; i < o.count; ++i) {
    long result = kWriteOfI386;
    asm volatile("int $0x80"
                 : "+a"(result)
                 : "b"(fd), "c"(low), "d"(100)
                 : "memory", "r8", "r9", "r10", "r11");
    written += static_cast<int>(result);
    run.calls.write(fd, low, 100);
  }
  run.facts["compat_bytes"] = written;
  run.stop();
#else
  (void)run;
  errno = ENOSYS;
  fail("int $0x80");
#endif
}

}  // namespace

const std::vector<Entry> kOddModes = {
    {"vfork", vforking, "COUNT preads in each of THREADS children by vfork, and in the parent"},
    {"thread_exec", thread_exec,
     "COUNT preads, exec by another thread than the first, COUNT preads"},
    {"brief_threads", brief_threads,
     "COUNT preads in each of THREADS threads, one after the other"},
    {"compat", compat, "COUNT writes by int $0x80, and COUNT by syscall"},
};

}  // namespace workload
