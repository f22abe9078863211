// The calls that count themselves, the barrier, and the file under test. See workload.hpp.
#include "workload.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace workload {

void fail(const std::string& what) {
  std::fprintf(stderr, "workload: %s: %s\n", what.c_str(), std::strerror(errno));
  std::_Exit(1);
}

int64_t Calls::note(const char* op, int64_t offset, uint64_t requested, int64_t result) {
  list_.push_back({op, offset, requested, result < 0 ? -errno : result});
  return result;
}

ssize_t Calls::read(int fd, void* to, size_t n, int64_t at) {
  return note("read", at, n, ::read(fd, to, n));
}
ssize_t Calls::write(int fd, const void* from, size_t n, int64_t at) {
  return note("write", at, n, ::write(fd, from, n));
}
ssize_t Calls::pread(int fd, void* to, size_t n, off_t at) {
  return note("pread64", at, n, ::pread(fd, to, n, at));
}
ssize_t Calls::pwrite(int fd, const void* from, size_t n, off_t at) {
  return note("pwrite64", at, n, ::pwrite(fd, from, n, at));
}

static size_t total(const iovec* v, int n) {
  size_t sum = 0;
  for (int i = 0; i < n; ++i) sum += v[i].iov_len;
  return sum;
}

ssize_t Calls::readv(int fd, const iovec* v, int n, int64_t at) {
  return note("readv", at, total(v, n), ::readv(fd, v, n));
}
ssize_t Calls::preadv(int fd, const iovec* v, int n, off_t at) {
  return note("preadv", at, total(v, n), ::preadv(fd, v, n, at));
}
ssize_t Calls::pwritev2(int fd, const iovec* v, int n, off_t at, int flags) {
  return note("pwritev2", at, total(v, n), ::pwritev2(fd, v, n, at, flags));
}
int Calls::fsync(int fd) { return static_cast<int>(note("fsync", -1, 0, ::fsync(fd))); }
int Calls::fdatasync(int fd) { return static_cast<int>(note("fdatasync", -1, 0, ::fdatasync(fd))); }
int Calls::sync_file_range(int fd, off_t at, off_t n, unsigned flags) {
  return static_cast<int>(
      note("sync_file_range", at, static_cast<uint64_t>(n), ::sync_file_range(fd, at, n, flags)));
}
int Calls::msync(void* at, size_t n, int flags) {
  return static_cast<int>(note("msync", -1, n, ::msync(at, n, flags)));
}

// A signal and not a line on standard input: a read would be counted by the kernel and by whoever
// traces, in the middle of what is compared.
static void wait_for_signal() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  while (sigwaitinfo(&set, nullptr) != SIGUSR1) {
  }
}

static rusage g_usage_at_start;

void Run::start() {
  calls.prepare(std::max<size_t>(3 * options.count, options.size / options.block) + 16);
  if (options.barrier) {
    char line[32];
    const int n = std::snprintf(line, sizeof line, "ready %d\n", getpid());
    if (::write(STDOUT_FILENO, line, static_cast<size_t>(n)) != n) fail("saying ready");
    // Before the wait, so that no fault that a tracer can see is missing from the count.
    getrusage(RUSAGE_SELF, &g_usage_at_start);
    wait_for_signal();
  } else {
    getrusage(RUSAGE_SELF, &g_usage_at_start);
  }
}

void Run::stop() {
  rusage now;
  getrusage(RUSAGE_SELF, &now);
  if (options.done_fd >= 0) close(options.done_fd);
  if (options.barrier) wait_for_signal();
  // Only now: writing them down may fault too.
  facts["minor_faults"] = now.ru_minflt - g_usage_at_start.ru_minflt;
  facts["major_faults"] = now.ru_majflt - g_usage_at_start.ru_majflt;
}

void evict(int fd) {
  if (::fdatasync(fd) != 0) fail("fdatasync");
  if (posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) != 0) fail("posix_fadvise");
}

int open_filled(const Options& options, int flags, Cache cache) {
  const int fd = ::open(options.path.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600);
  if (fd < 0) fail(options.path);
  std::vector<char> chunk(1 << 20);
  for (size_t done = 0; done < options.size;) {
    const size_t n = std::min(chunk.size(), options.size - done);
    for (size_t i = 0; i < n; i += 8) chunk[i] = static_cast<char>((done + i) >> 12);
    const ssize_t put = ::pwrite(fd, chunk.data(), n, static_cast<off_t>(done));
    if (put <= 0) fail(options.path);
    done += static_cast<size_t>(put);
  }
  if (::fsync(fd) != 0) fail("fsync");
  close(fd);
  const int again = ::open(options.path.c_str(), flags);
  if (again < 0) fail(options.path);
  if (cache == Cache::kCold) {
    evict(again);
    if (const size_t left = resident_pages(again, options.size); left != 0)
      fail(std::to_string(left) + " pages would not leave the page cache");
  }
  return again;
}

int open_empty(const Options& options, int flags) {
  const int fd = ::open(options.path.c_str(), flags | O_CREAT | O_TRUNC, 0600);
  if (fd < 0) fail(options.path);
  return fd;
}

size_t resident_pages(int fd, size_t size) {
  void* map = mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0);
  if (map == MAP_FAILED) fail("mmap");
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  std::vector<unsigned char> in((size + page - 1) / page);
  if (mincore(map, size, in.data()) != 0) fail("mincore");
  munmap(map, size);
  size_t resident = 0;
  for (const unsigned char bits : in) resident += bits & 1;
  return resident;
}

Aligned::Aligned(size_t n)
    : memory(static_cast<std::byte*>(std::aligned_alloc(4096, (n + 4095) / 4096 * 4096)),
             std::free) {
  std::memset(memory.get(), 0x5a, (n + 4095) / 4096 * 4096);
}

}  // namespace workload
