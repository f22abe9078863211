// Files read and written through mappings: the I/O is page faults.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cinttypes>
#include <cstdio>
#include <fstream>
#include <string>

#include "workload.hpp"

namespace workload {
namespace {

constexpr size_t kPage = 4096;

char* map_file(const Options& o, int fd, int protection, int flags) {
  void* map = mmap(nullptr, o.size, protection, flags, fd, 0);
  if (map == MAP_FAILED) fail("mmap");
  return static_cast<char*>(map);
}

void read_every_page(Run& run, const char* map) {
  unsigned sum = 0;
  for (size_t at = 0; at < run.options.size; at += kPage)
    sum += static_cast<unsigned char>(static_cast<const volatile char*>(map)[at]);
  run.facts["touched_pages"] = static_cast<int64_t>(run.options.size / kPage);
  run.facts["sum"] = sum;
}

void store_to_every_page(const Options& o, char* map) {
  for (size_t at = 0; at < o.size; at += kPage) static_cast<volatile char*>(map)[at] = 1;
}

// Of the mapping at `map`, the bytes that are the process's own and not the file's, as the kernel
// says.
int64_t anonymous_bytes(const char* map) {
  std::ifstream smaps("/proc/self/smaps");
  bool found = false;
  for (std::string line; std::getline(smaps, line);) {
    uint64_t begin = 0, end = 0;
    int64_t kib = 0;
    if (std::sscanf(line.c_str(), "%" SCNx64 "-%" SCNx64 " ", &begin, &end) == 2)
      found = begin == reinterpret_cast<uintptr_t>(map);
    else if (found && std::sscanf(line.c_str(), "Anonymous: %" SCNd64 " kB", &kib) == 1)
      return kib * 1024;
  }
  fail("/proc/self/smaps does not show the mapping");
  return 0;
}

void mmap_cached(Run& run) {
  const int fd = open_filled(run.options, O_RDONLY, Cache::kWarm);
  const char* map = map_file(run.options, fd, PROT_READ, MAP_SHARED);
  run.start();
  read_every_page(run, map);
  run.stop();
}

void mmap_cold(Run& run) {
  const int fd = open_filled(run.options, O_RDONLY, Cache::kCold);
  const char* map = map_file(run.options, fd, PROT_READ, MAP_SHARED);
  run.start();
  read_every_page(run, map);
  run.facts["resident_pages"] = static_cast<int64_t>(resident_pages(fd, run.options.size));
  run.stop();
}

// A store into a private mapping copies the page.
void mmap_private_write(Run& run) {
  const Options& o = run.options;
  const int fd = open_filled(o, O_RDONLY, Cache::kWarm);
  char* map = map_file(o, fd, PROT_READ | PROT_WRITE, MAP_PRIVATE);
  run.start();
  store_to_every_page(o, map);
  run.facts["touched_pages"] = static_cast<int64_t>(o.size / kPage);
  run.stop();
}

// The same where each page has been loaded before. What the child copies then is its parent's
// memory.
void mmap_private_rewrite(Run& run) {
  const Options& o = run.options;
  const int fd = open_filled(o, O_RDONLY, Cache::kWarm);
  char* map = map_file(o, fd, PROT_READ | PROT_WRITE, MAP_PRIVATE);
  read_every_page(run, map);
  run.facts["own_bytes_before"] = anonymous_bytes(map);
  run.start();
  store_to_every_page(o, map);
  const pid_t child = fork();
  if (child < 0) fail("fork");
  if (child == 0) {
    store_to_every_page(o, map);
    _exit(0);
  }
  int status = 0;
  if (waitpid(child, &status, 0) != child || status != 0) fail("waitpid");
  run.stop();
  run.facts["own_bytes"] = anonymous_bytes(map);
}

// A page that was mapped to be read becomes writable with the first store, and its folio dirty.
void mmap_shared_rewrite(Run& run) {
  const Options& o = run.options;
  const int fd = open_filled(o, O_RDWR, Cache::kWarm);
  char* map = map_file(o, fd, PROT_READ | PROT_WRITE, MAP_SHARED);
  read_every_page(run, map);
  run.start();
  for (int round = 0; round < 2; ++round) {
    store_to_every_page(o, map);
    run.calls.msync(map, o.size, MS_SYNC);
  }
  run.stop();
}

}  // namespace

const std::vector<Entry> kMappedModes = {
    {"mmap_cached", mmap_cached, "a load from every page of a mapping, all cached"},
    {"mmap_cold", mmap_cold, "the same, nothing cached"},
    {"mmap_private_write", mmap_private_write, "a store into every page of a private mapping"},
    {"mmap_shared_rewrite", mmap_shared_rewrite, "after loads, two times a store into every page, msync"},
    {"mmap_private_rewrite", mmap_private_rewrite, "the same after loads, then again in a child"},
};

}  // namespace workload
