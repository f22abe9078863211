#include "system/lab/program.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <system_error>

namespace iohops::lab {
namespace {

uint64_t now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

// Any bytes that compress badly and are the same in each run.
std::vector<std::byte> make_payload() {
  std::vector<std::byte> bytes(kPayload);
  uint64_t state = 88172645463325252;
  for (std::byte& byte : bytes) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    byte = static_cast<std::byte>(state);
  }
  return bytes;
}

}  // namespace

int64_t check(int64_t result, const char* what) {
  if (result < 0) throw std::system_error(errno, std::generic_category(), what);
  return result;
}

Run::Run(std::string directory, Outcome& outcome)
    : directory_(std::move(directory)), outcome_(outcome), payload_(make_payload()) {
  outcome_.pid = static_cast<uint32_t>(getpid());
}

void Run::begin() { outcome_.begin_ns = now_ns(); }

void Run::end(uint64_t bytes, uint64_t rounds, std::string_view said) {
  outcome_.end_ns = now_ns();
  outcome_.bytes = bytes;
  outcome_.rounds = rounds;
  said.copy(outcome_.said, sizeof outcome_.said - 1);
}

UniqueFd Run::empty_file(int flags) {
  std::string path = directory_ + "/iohops-lab-XXXXXX";
  const int named = mkostemp(path.data(), O_CLOEXEC);
  check(named, path.c_str());
  UniqueFd file(named);
  if (flags == 0) {
    unlink(path.c_str());
    return file;
  }
  const int with_flags = open(path.c_str(), O_RDWR | O_CLOEXEC | flags);
  const int error = errno;
  unlink(path.c_str());
  if (with_flags < 0 && (flags & O_DIRECT) != 0 && error == EINVAL)
    throw Unavailable("the file system of " + directory_ + " has no O_DIRECT (--dir names another)");
  errno = error;
  check(with_flags, path.c_str());
  return UniqueFd(with_flags);
}

UniqueFd Run::file(int flags) {
  UniqueFd file = empty_file(flags);
  Buffer aligned(kPayload);
  std::copy(payload_.begin(), payload_.end(), aligned.data());
  for (size_t at = 0; at < kPayload;)
    at += static_cast<size_t>(
        check(pwrite(file.get(), aligned.data() + at, kPayload - at, static_cast<off_t>(at)), "pwrite"));
  check(fsync(file.get()), "fsync");
  return file;
}

void Run::drop_cache(int fd) {
  check(fsync(fd), "fsync");
  errno = posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
  check(errno == 0 ? 0 : -1, "posix_fadvise");
}

void Run::expect_payload(std::span<const std::byte> got) const {
  if (got.size() != payload_.size() || !std::equal(got.begin(), got.end(), payload_.begin()))
    throw std::runtime_error("what arrived is not what was sent");
}

Buffer::Buffer(size_t bytes) : bytes_(bytes) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  check(memory == MAP_FAILED ? -1 : 0, "mmap");
  data_ = static_cast<std::byte*>(memory);
}

Buffer::~Buffer() { munmap(data_, bytes_); }

Program find_program(std::string_view name) {
  for (const auto group : {file_programs(), socket_programs(), mapping_programs(), ring_programs(),
                            ring_socket_programs()}) {
    for (const Named& named : group) {
      if (named.name == name) return named.program;
    }
  }
  return nullptr;
}

}  // namespace iohops::lab
