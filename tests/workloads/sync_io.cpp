// Writes that are made durable: O_DSYNC, fsync and its kin.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "workload.hpp"

namespace workload {
namespace {

void dsync_write(Run& run) {
  const Options& o = run.options;
  const int fd = open_filled(o, O_WRONLY | O_DSYNC, Cache::kWarm);
  Aligned buffer(o.block);
  run.start();
  for (size_t i = 0; i < o.count; ++i)
    run.calls.pwrite(fd, buffer.data(), o.block, static_cast<off_t>(i * o.block % o.size));
  run.stop();
}

template <typename Sync>
void write_then(Run& run, Sync sync) {
  const Options& o = run.options;
  const int fd = open_filled(o, O_RDWR, Cache::kWarm);
  Aligned buffer(o.block);
  run.start();
  for (size_t i = 0; i < o.count; ++i) {
    const auto at = static_cast<off_t>(i * o.block % o.size);
    run.calls.pwrite(fd, buffer.data(), o.block, at);
    sync(fd, at);
  }
  run.stop();
}

void fsync_each(Run& run) {
  write_then(run, [&](int fd, off_t) { run.calls.fsync(fd); });
}
void fdatasync_each(Run& run) {
  write_then(run, [&](int fd, off_t) { run.calls.fdatasync(fd); });
}
void sync_range(Run& run) {
  const auto block = static_cast<off_t>(run.options.block);
  write_then(run, [&](int fd, off_t at) {
    run.calls.sync_file_range(
        fd, at, block,
        SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
  });
}

void msync_each(Run& run) {
  const Options& o = run.options;
  const int fd = open_filled(o, O_RDWR, Cache::kWarm);
  auto* map = static_cast<char*>(mmap(nullptr, o.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  if (map == MAP_FAILED) fail("mmap");
  run.start();
  for (size_t i = 0; i < o.count; ++i) {
    char* page = map + i * 4096 % o.size;
    *page = static_cast<char>(*page + 1);
    run.calls.msync(page, 4096, MS_SYNC);
  }
  run.stop();
}

// Writes the same pages COUNT times and syncs once: all but one of the writes are absorbed.
void overwrite_then_sync(Run& run) {
  const Options& o = run.options;
  const int fd = open_filled(o, O_RDWR, Cache::kWarm);
  Aligned buffer(o.block);
  run.start();
  for (size_t i = 0; i < o.count; ++i) run.calls.pwrite(fd, buffer.data(), o.block, 0);
  run.calls.fdatasync(fd);
  run.stop();
}

}  // namespace

const std::vector<Entry> kSyncModes = {
    {"dsync_write", dsync_write, "COUNT pwrites with O_DSYNC"},
    {"fsync", fsync_each, "COUNT times pwrite, fsync"},
    {"fdatasync", fdatasync_each, "COUNT times pwrite, fdatasync"},
    {"sync_file_range", sync_range, "COUNT times pwrite, sync_file_range"},
    {"msync", msync_each, "COUNT times a store into a shared mapping, msync"},
    {"overwrite_then_sync", overwrite_then_sync, "COUNT pwrites of one block, one fdatasync"},
};

}  // namespace workload
