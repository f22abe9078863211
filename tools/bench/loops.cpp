#include "loops.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <system_error>

#include "system/lab/uring.hpp"

namespace bench {
namespace {

constexpr size_t kFileBytes = size_t{4} << 20;
constexpr size_t kPage = 4096;
constexpr uint32_t kDepth = 32;

alignas(kPage) std::array<std::byte, kFileBytes> g_memory;

// A short count is as fatal here as an error: the price of something else would be measured.
void expect(ssize_t got, size_t wanted, const char* what) {
  if (got < 0 || static_cast<size_t>(got) != wanted)
    throw std::system_error(got < 0 ? errno : EIO, std::generic_category(), what);
}

int open_filled(const std::string& path, int flags) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT, 0600);
  expect(fd < 0 ? -1 : pwrite(fd, g_memory.data(), kFileBytes, 0), kFileBytes, path.c_str());
  expect(fsync(fd), 0, path.c_str());
  close(fd);
  const int opened = open(path.c_str(), O_RDWR | flags);
  if (opened < 0) throw std::system_error(errno, std::generic_category(), path);
  return opened;
}

std::function<void()> read_cached(const std::string& path, size_t bytes) {
  const int fd = open_filled(path, 0);
  return [=] { expect(pread(fd, g_memory.data(), bytes, 0), bytes, "pread"); };
}

std::function<void()> write_over(const std::string& path) {
  const int fd = open_filled(path, 0);
  return [=] { expect(pwrite(fd, g_memory.data(), 512, 0), 512, "pwrite"); };
}

void work(std::chrono::nanoseconds time) {
  const auto end = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < end) {
  }
}

// With some work between the reads, as programs do. Without it a virtual disk is measured: the host's thread that
// serves it falls asleep after 0.3 us without a request, and a read takes 4 us more then, whatever delayed it.
std::function<void()> read_direct(const std::string& path) {
  const int fd = open_filled(path, O_DIRECT);
  return [fd, at = size_t{0}]() mutable {
    work(std::chrono::microseconds(2));
    expect(pread(fd, g_memory.data(), kPage, static_cast<off_t>(at)), kPage, "pread O_DIRECT");
    at = (at + kPage) % kFileBytes;
  };
}

// A batch of cached reads by one io_uring_enter.
std::function<void()> read_by_ring(const std::string& path) {
  const int fd = open_filled(path, 0);
  auto ring = std::make_shared<iohops::lab::Uring>(kDepth, 0);
  return [=] {
    for (uint32_t i = 0; i < kDepth; ++i)
      ring->queue(IORING_OP_READ, fd, g_memory.data() + i * kPage, kPage, i * kPage);
    ring->submit(kDepth);
    io_uring_cqe completion{};
    for (uint32_t i = 0; i < kDepth; ++i) {
      if (!ring->take(completion)) throw std::runtime_error("io_uring: a completion is missing");
    }
  };
}

// Every fault maps the pages around it, so each is taken 64 KiB further on; the mapping is emptied
// when it has been touched all over.
std::function<void()> fault(const std::string& path) {
  const int fd = open_filled(path, 0);
  void* mapping = mmap(nullptr, kFileBytes, PROT_READ, MAP_SHARED, fd, 0);
  if (mapping == MAP_FAILED) throw std::system_error(errno, std::generic_category(), path);
  auto* bytes = static_cast<const volatile std::byte*>(mapping);
  return [=, at = size_t{0}]() mutable {
    if (at == 0) expect(madvise(mapping, kFileBytes, MADV_DONTNEED), 0, "madvise");
    (void)bytes[at];
    at = (at + (size_t{64} << 10)) % kFileBytes;
  };
}

// There and back over loopback by one thread: four system calls, and no scheduler in between.
std::function<void()> ping_pong(const std::string&) {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{
      .sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
  socklen_t length = sizeof address;
  expect(bind(listener, reinterpret_cast<sockaddr*>(&address), length), 0, "bind");
  expect(listen(listener, 1), 0, "listen");
  expect(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length), 0, "getsockname");
  const int one = socket(AF_INET, SOCK_STREAM, 0);
  expect(connect(one, reinterpret_cast<sockaddr*>(&address), length), 0, "connect");
  const int other = accept(listener, nullptr, nullptr);
  if (other < 0) throw std::system_error(errno, std::generic_category(), "accept");
  for (int fd : {one, other}) {
    const int yes = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  }
  return [=] {
    expect(send(one, g_memory.data(), 64, 0), 64, "send");
    expect(recv(other, g_memory.data(), 64, MSG_WAITALL), 64, "recv");
    expect(send(other, g_memory.data(), 64, 0), 64, "send");
    expect(recv(one, g_memory.data(), 64, MSG_WAITALL), 64, "recv");
  };
}

}  // namespace

const std::vector<Loop>& loops() {
  static const std::vector<Loop> all = {
      {"pread", "4 KiB pread of a cached page", 64,
       [](const auto& f) { return read_cached(f, kPage); }},
      {"pread64k", "64 KiB pread of cached pages", 16,
       [](const auto& f) { return read_cached(f, 16 * kPage); }},
      {"write512", "512 B pwrite over a dirty page", 64, write_over},
      {"direct", "4 KiB pread with O_DIRECT, 2 us of work", 1, read_direct},
      {"uring", "io_uring: 32 cached 4 KiB reads a call", 4, read_by_ring},
      {"fault", "page fault on a cached, mapped file", 64, fault},
      {"tcp", "64 B there and back over loopback TCP", 16, ping_pong},
      {"getppid", "getppid", 64, [](const auto&) { return [] { syscall(SYS_getppid); }; }},
  };
  return all;
}

}  // namespace bench
