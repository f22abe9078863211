// What every workload shares: the calls that count themselves, the barrier, the file under test.
// It knows nothing about tracing: a workload does known I/O and says exactly what it did.
#pragma once

#include <sys/types.h>
#include <sys/uio.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace workload {

struct Options {
  std::string mode;
  std::string path;
  size_t size = 1 << 20;  // bytes of the file under test
  size_t block = 4096;    // bytes of one request
  size_t count = 64;      // requests
  unsigned threads = 16;  // threads or children
  unsigned pause_us = 0;  // between requests, where the mode says so
  int done_fd = -1;       // closed when the measured part is over; -1: none
  bool barrier = false;   // wait for SIGUSR1 before the measured part and after it
  std::string carry;      // the exec workload: what the first image did
};

// One call as the program saw it.
struct Call {
  const char* op;
  int64_t offset;  // -1: the call names none
  uint64_t requested;
  int64_t result;  // negative errno
};

// Does calls and remembers them. One per thread: nothing here locks.
class Calls {
 public:
  // Room for so many calls, touched, so that remembering one is no page fault.
  void prepare(size_t calls) {
    list_.resize(calls);
    list_.clear();
  }

  ssize_t read(int fd, void* to, size_t n, int64_t at = -1);
  ssize_t write(int fd, const void* from, size_t n, int64_t at = -1);
  ssize_t pread(int fd, void* to, size_t n, off_t at);
  ssize_t pwrite(int fd, const void* from, size_t n, off_t at);
  ssize_t readv(int fd, const iovec* v, int n, int64_t at = -1);
  ssize_t preadv(int fd, const iovec* v, int n, off_t at);
  ssize_t pwritev2(int fd, const iovec* v, int n, off_t at, int flags);
  int fsync(int fd);
  int fdatasync(int fd);
  int sync_file_range(int fd, off_t at, off_t n, unsigned flags);
  int msync(void* at, size_t n, int flags);

  void append(const Calls& other) {
    list_.insert(list_.end(), other.list_.begin(), other.list_.end());
  }
  const std::vector<Call>& list() const { return list_; }

 private:
  int64_t note(const char* op, int64_t offset, uint64_t requested, int64_t result);
  std::vector<Call> list_;
};

struct Run {
  const Options& options;
  Calls calls;
  std::map<std::string, int64_t> facts;  // further figures of the mode, printed as they are

  // The two ends of the measured part. start() prints "ready PID" and waits; stop() closes the
  // done descriptor and waits. Neither reads or writes between "ready" and its return, so what
  // /proc/PID/io counts between the two is what the workload did and nothing else.
  void start();
  void stop();
};

// A mode prepares, calls run.start(), does its I/O, calls run.stop().
using Mode = void (*)(Run&);
struct Entry {
  const char* name;
  Mode mode;
  const char* what;
};
extern const std::vector<Entry> kFileModes, kSyncModes, kMappedModes, kProcessModes, kOddModes;

// Ends the program with the reason: a workload that could not do its I/O proves nothing.
[[noreturn]] void fail(const std::string& what);

// Makes options.path a file of options.size known bytes and returns it opened with `flags`;
// `cold`: its pages are written back and out of the page cache.
enum class Cache { kWarm, kCold };
int open_filled(const Options& options, int flags, Cache cache);
int open_empty(const Options& options, int flags);
void evict(int fd);
// Pages of the file that are in the page cache.
size_t resident_pages(int fd, size_t size);

// Memory aligned for direct I/O, touched so that using it faults no more.
struct Aligned {
  explicit Aligned(size_t n);
  std::unique_ptr<std::byte, void (*)(void*)> memory;
  std::byte* data() const { return memory.get(); }
};

}  // namespace workload
