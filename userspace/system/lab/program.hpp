// The lab's programs: each moves a known payload in one way, counts what it does itself and checks
// what arrived. They run in processes of their own, forked by system/lab/runner; they throw.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "system/unique_fd.hpp"

namespace iohops::lab {

inline constexpr size_t kPayload = size_t{4} << 20;
inline constexpr size_t kChunk = 65536;
inline constexpr size_t kRounds = kPayload / kChunk;
inline constexpr size_t kPage = 4096;

// It cannot be done here: a missing kernel feature, a file system without O_DIRECT.
struct Unavailable : std::runtime_error {
  using runtime_error::runtime_error;
};

// What a program tells: plain data, it crosses a pipe.
struct Outcome {
  uint64_t begin_ns = 0;  // CLOCK_MONOTONIC, around the measured part
  uint64_t end_ns = 0;
  uint64_t bytes = 0;   // payload that was moved, as the program counts it
  uint64_t rounds = 0;  // of its loop
  uint32_t pid = 0;
  uint32_t tid = 0;
  char said[128] = {};     // what it did
  char skipped[256] = {};  // why it did not
  char failed[256] = {};   // what went wrong
};

// One run: where its files go, and its measured part.
class Run {
 public:
  Run(std::string directory, Outcome& outcome);

  const std::string& directory() const { return directory_; }
  void begin();
  void end(uint64_t bytes, uint64_t rounds, std::string_view said);

  // A file without a name, with the payload in it and on the disk.
  UniqueFd file(int flags = 0);
  UniqueFd empty_file(int flags = 0);
  static void drop_cache(int fd);  // of this file
  std::span<const std::byte> payload() const { return payload_; }
  void expect_payload(std::span<const std::byte> got) const;

 private:
  std::string directory_;
  Outcome& outcome_;
  std::vector<std::byte> payload_;
};

// Memory for direct I/O: page-aligned, touched.
class Buffer {
 public:
  explicit Buffer(size_t bytes);
  ~Buffer();
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  std::byte* data() const { return data_; }
  std::span<std::byte> bytes() const { return {data_, bytes_}; }

 private:
  std::byte* data_ = nullptr;
  size_t bytes_;
};

// The result of a system call, or its errno with `what`, thrown.
int64_t check(int64_t result, const char* what);

using Program = void (*)(Run&);
Program find_program(std::string_view name);  // of core/lab/paths; null: none

// The groups, one a file.
struct Named {
  std::string_view name;
  Program program;
};
std::span<const Named> file_programs();
std::span<const Named> socket_programs();
std::span<const Named> mapping_programs();
std::span<const Named> ring_programs();
std::span<const Named> ring_socket_programs();

}  // namespace iohops::lab
