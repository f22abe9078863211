// Files read and written through mappings: the I/O is page faults.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

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
  for (size_t at = 0; at < o.size; at += kPage) static_cast<volatile char*>(map)[at] = 1;
  run.facts["touched_pages"] = static_cast<int64_t>(o.size / kPage);
  run.stop();
}

}  // namespace

const std::vector<Entry> kMappedModes = {
    {"mmap_cached", mmap_cached, "a load from every page of a mapping, all cached"},
    {"mmap_cold", mmap_cold, "the same, nothing cached"},
    {"mmap_private_write", mmap_private_write, "a store into every page of a private mapping"},
};

}  // namespace workload
