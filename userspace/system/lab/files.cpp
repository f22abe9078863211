// Programs that read and write files.
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>

#include "system/lab/program.hpp"

namespace iohops::lab {
namespace {

// The whole file by read(2), in chunks; gives what was read.
void read_whole(Run& run, int fd, const char* said) {
  Buffer got(kPayload);
  check(lseek(fd, 0, SEEK_SET), "lseek");
  run.begin();
  for (size_t at = 0; at < kPayload; at += kChunk)
    if (check(read(fd, got.data() + at, kChunk), "read") != kChunk)
      throw std::runtime_error("a short read");
  run.end(kPayload, kRounds, said);
  run.expect_payload(got.bytes());
}

void read_hot(Run& run) {
  const UniqueFd file = run.file();
  read_whole(run, file.get(), "64 x read(64 KiB), cached");
}

void read_cold(Run& run) {
  const UniqueFd file = run.file();
  Run::drop_cache(file.get());
  read_whole(run, file.get(), "64 x read(64 KiB), not cached");
}

void read_direct(Run& run) {
  const UniqueFd file = run.file(O_DIRECT);
  read_whole(run, file.get(), "64 x read(64 KiB), O_DIRECT");
}

void read_tmpfs(Run& run) {
  struct statfs facts {};
  if (statfs("/dev/shm", &facts) != 0 || facts.f_type != 0x01021994)
    throw Unavailable("/dev/shm is no tmpfs");
  Outcome unused;
  Run memory("/dev/shm", unused);
  const UniqueFd file = memory.file();
  read_whole(run, file.get(), "64 x read(64 KiB) from tmpfs");
}

void read_vectors(Run& run) {
  const UniqueFd file = run.file();
  Buffer got(kPayload);
  run.begin();
  for (size_t at = 0; at < kPayload; at += kChunk) {
    std::array<iovec, 4> parts{};
    for (size_t i = 0; i < parts.size(); ++i)
      parts[i] = {got.data() + at + i * kChunk / 4, kChunk / 4};
    if (check(preadv(file.get(), parts.data(), parts.size(), static_cast<off_t>(at)), "preadv") != kChunk)
      throw std::runtime_error("a short read");
  }
  run.end(kPayload, kRounds, "64 x preadv(4 x 16 KiB), cached");
  run.expect_payload(got.bytes());
}

// Everything is read back, past what the measured part did.
void expect_file(Run& run, int fd) {
  Buffer got(kPayload);
  for (size_t at = 0; at < kPayload;)
    at += static_cast<size_t>(
        check(pread(fd, got.data() + at, kPayload - at, static_cast<off_t>(at)), "pread"));
  run.expect_payload(got.bytes());
}

// `flags` as open(2) has them; `sync`: fsync at the end.
void write_whole(Run& run, int flags, bool sync, const char* said) {
  const UniqueFd file = run.file(flags);  // its blocks are there: no allocation, little metadata
  Buffer sent(kPayload);
  std::copy(run.payload().begin(), run.payload().end(), sent.data());
  run.begin();
  for (size_t at = 0; at < kPayload; at += kChunk)
    if (check(pwrite(file.get(), sent.data() + at, kChunk, static_cast<off_t>(at)), "pwrite") != kChunk)
      throw std::runtime_error("a short write");
  if (sync) check(fsync(file.get()), "fsync");
  run.end(kPayload, kRounds, said);
  expect_file(run, file.get());
}

void write_fsync(Run& run) { write_whole(run, 0, true, "64 x pwrite(64 KiB), one fsync"); }
void write_dsync(Run& run) { write_whole(run, O_DSYNC, false, "64 x pwrite(64 KiB), O_DSYNC"); }
void write_direct(Run& run) { write_whole(run, O_DIRECT, false, "64 x pwrite(64 KiB), O_DIRECT"); }

void stdio_small(Run& run) {
  const UniqueFd file = run.file();
  const int copy = static_cast<int>(check(dup(file.get()), "dup"));
  FILE* stream = fdopen(copy, "r");
  check(stream == nullptr ? -1 : 0, "fdopen");
  check(lseek(copy, 0, SEEK_SET), "lseek");
  Buffer got(kPayload);
  size_t at = 0;
  run.begin();
  for (;;) {
    const size_t n = fread(got.data() + at, 1, std::min<size_t>(100, kPayload - at), stream);
    at += n;
    if (n == 0 || at == kPayload) break;
  }
  run.end(kPayload, kPayload / kPage, "fread(100 bytes) through a buffer of 4 KiB");
  fclose(stream);
  run.expect_payload(got.bytes());
}

// As many bytes as the others, in more calls.
void read_small(Run& run) {
  constexpr size_t kSmall = 512;
  const UniqueFd file = run.file();
  Buffer got(kPayload);
  check(lseek(file.get(), 0, SEEK_SET), "lseek");
  run.begin();
  for (size_t at = 0; at < kPayload; at += kSmall)
    if (check(read(file.get(), got.data() + at, kSmall), "read") != kSmall)
      throw std::runtime_error("a short read");
  run.end(kPayload, kPayload / kSmall, "8192 x read(512), cached");
  run.expect_payload(got.bytes());
}

// Pages far from each other: each sync has one of its own to write.
void write_pages(Run& run, bool sync_each, const char* said) {
  constexpr size_t kPages = 64;
  const UniqueFd file = run.file();
  Buffer page(kPage);
  run.begin();
  for (size_t i = 0; i < kPages; ++i) {
    if (check(pwrite(file.get(), page.data(), kPage, static_cast<off_t>(i * kChunk)), "pwrite") != kPage)
      throw std::runtime_error("a short write");
    if (sync_each || i + 1 == kPages) check(fsync(file.get()), "fsync");
  }
  run.end(kPages * kPage, kPages, said);
}

void sync_each(Run& run) { write_pages(run, true, "64 x pwrite(4 KiB), each with its fsync"); }
void sync_once(Run& run) { write_pages(run, false, "64 x pwrite(4 KiB), one fsync"); }

void copy_range(Run& run) {
  const UniqueFd from = run.file();
  const UniqueFd to = run.empty_file();
  run.begin();
  for (size_t round = 0; round < kRounds; ++round)
    if (check(copy_file_range(from.get(), nullptr, to.get(), nullptr, kChunk, 0), "copy_file_range") != kChunk)
      throw std::runtime_error("a short copy");
  run.end(kPayload, kRounds, "64 x copy_file_range(64 KiB)");
  expect_file(run, to.get());
}

void sendfile_to_file(Run& run) {
  const UniqueFd from = run.file();
  const UniqueFd to = run.empty_file();
  off_t at = 0;
  run.begin();
  for (size_t round = 0; round < kRounds; ++round)
    if (check(sendfile(to.get(), from.get(), &at, kChunk), "sendfile") != kChunk)
      throw std::runtime_error("a short copy");
  run.end(kPayload, kRounds, "64 x sendfile(64 KiB)");
  expect_file(run, to.get());
}

constexpr Named kPrograms[] = {
    {"read-hot", read_hot},         {"read-cold", read_cold},     {"read-direct", read_direct},
    {"tmpfs", read_tmpfs},          {"preadv", read_vectors},     {"write-fsync", write_fsync},
    {"write-dsync", write_dsync},   {"write-direct", write_direct}, {"stdio-small", stdio_small},
    {"copy-file-range", copy_range}, {"sendfile-file", sendfile_to_file},
    {"read-small", read_small},     {"sync-each", sync_each},     {"sync-once", sync_once},
};

}  // namespace

std::span<const Named> file_programs() { return kPrograms; }

}  // namespace iohops::lab
