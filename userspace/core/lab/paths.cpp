#include "core/lab/paths.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace iohops {
namespace {

// Payloads are a few MiB: a program's own small change (a file's metadata, a journal block) must not
// count as a copy or a transfer per byte.
constexpr double kCopyTolerance = 0.02;
constexpr double kDmaTolerance = 0.10;
constexpr double kSwitchTolerance = 0.10;

constexpr LabPath kPaths[] = {
    {"read-write-cold", "read(2) a file that is not cached, write(2) it to a TCP socket",
     {2, 1, 1, 4}},
    {"read-write", "the same with the file in the page cache", {2, 0, 1, 4}},
    {"mmap-write", "map a cached file, write(2) the mapping to a TCP socket", {1, 0, 1, {}}},
    {"sendfile", "sendfile(2) a cached file to a TCP socket", {0, 0, 1, 2}},
    {"splice", "splice(2) a cached file into a pipe, the pipe into a TCP socket", {0, 0, 1, 4}},
    {"zerocopy", "send(2) with MSG_ZEROCOPY; over loopback the kernel copies after all",
     {1, 0, 0, 2}},
    {"read-cold", "read(2) a file that is not cached", {1, 1, 0, 2}},
    {"read-hot", "read(2) a cached file", {1, 0, 0, 2}},
    {"preadv", "preadv(2) a cached file into four buffers", {1, 0, 0, 2}},
    {"read-direct", "pread(2) with O_DIRECT", {0, 1, 0, 2}},
    {"write-direct", "pwrite(2) with O_DIRECT", {0, 1, 0, 2}},
    {"write-fsync", "write(2) a file, then fsync(2) it once", {1, 1, 0, 2}},
    {"write-dsync", "write(2) with O_DSYNC", {1, 1, 0, 2}},
    {"stdio-small", "fread(3) 100 bytes at a time: the copy in user space is not counted",
     {1, 0, 0, 2}},
    {"mmap-hot", "map a cached file and load each page", {0, 0, 0, {}}, LabNeed::kFaults},
    {"mmap-cold", "map a file that is not cached and load each page", {0, 1, 0, {}}, LabNeed::kFaults},
    {"mmap-store", "store to each page of a shared mapping, then msync(2)", {0, 1, 0, {}}, LabNeed::kFaults},
    {"mmap-private", "store to each page of a private mapping: copy on write", {1, 0, 0, 2}, LabNeed::kFaults},
    {"copy-file-range", "copy_file_range(2) from one cached file to another", {1, 0, 0, 2}},
    {"sendfile-file", "sendfile(2) from one cached file to another", {1, 0, 0, 2}},
    {"tmpfs", "read(2) a file of a memory file system", {1, 0, 0, 2}},
    {"pipe", "write(2) into a pipe and read(2) it", {2, 0, 0, 4}},
    {"unix", "write(2) into a unix socket and read(2) it", {2, 0, 0, 4}},
    {"udp", "send(2) and recv(2) datagrams over loopback", {2, 0, 0, 4}},
    {"epoll", "an event loop: epoll_wait(2), recv(2), send(2)", {2, 0, 0, 6}},
    {"uring", "io_uring: reads of a cached file, 32 a call", {1, 0, 0, 2}, LabNeed::kUring},
    {"uring-direct", "io_uring: direct reads, 32 a call", {0, 1, 0, 2}, LabNeed::kUring},
    {"uring-fixed", "io_uring: direct reads into registered buffers, 32 a call", {0, 1, 0, 2}, LabNeed::kUring},
    {"uring-sqpoll", "io_uring: direct reads, submitted to a polling thread", {0, 1, 0, 0}, LabNeed::kUring},
    {"uring-iopoll", "io_uring: direct reads, whose completions are polled for", {0, 1, 0, 2}, LabNeed::kUring},
    {"uring-send", "io_uring: linked sends to a TCP socket, 8 a call", {1, 0, 1, 2}, LabNeed::kUring},
    {"uring-relay", "io_uring: a read of a cached file and, linked, its send: one call", {2, 0, 1, 2}, LabNeed::kUring},
    {"uring-splice", "io_uring: splices, file to pipe and, linked, pipe to TCP socket", {0, 0, 1, 2}, LabNeed::kUring},
    {"uring-zerocopy", "io_uring: send_zc; over loopback the kernel copies after all", {1, 0, 0, {}}, LabNeed::kUring},
    {"uring-multishot", "io_uring: one recv that completes for each part that comes", {1, 0, 1, {}}, LabNeed::kUring},
    {"aio-direct", "libaio: direct reads, 8 a call", {0, 1, 0, 4}},
};

double per(uint64_t amount, uint64_t unit) {
  return unit == 0 ? 0 : static_cast<double>(amount) / static_cast<double>(unit);
}

bool near(double measured, double expected, double tolerance) {
  return std::abs(measured - expected) <= tolerance * std::max(1.0, expected);
}

size_t distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t above = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1])});
      diagonal = above;
    }
  }
  return row.back();
}

void add(std::string& text, std::string_view more) {
  if (!text.empty()) text += "; ";
  text += more;
}

}  // namespace

std::span<const LabPath> lab_paths() { return kPaths; }

const LabPath* find_lab_path(std::string_view name) {
  const auto* found =
      std::find_if(std::begin(kPaths), std::end(kPaths),
                   [&](const LabPath& path) { return path.name == name; });
  return found == std::end(kPaths) ? nullptr : found;
}

std::string_view near_lab_path(std::string_view name) {
  constexpr size_t kNear = 4;
  std::string_view best;
  size_t least = kNear;
  for (const LabPath& path : kPaths) {
    // A part of a name is meant as it stands: "direct", "mmap".
    const size_t away = path.name.find(name) != std::string_view::npos ? 1 : distance(name, path.name);
    if (away >= least) continue;
    least = away;
    best = path.name;
  }
  return best;
}

double LabFigures::copies_per_byte() const { return per(cpu_copy_bytes, bytes); }
double LabFigures::dma_per_byte() const { return per(dma_bytes, bytes); }
double LabFigures::switches_per_mib() const {
  return per(mode_switches, bytes) * static_cast<double>(1 << 20);
}
double LabFigures::switches_per_round() const { return per(mode_switches, rounds); }

LabVerdict judge(const LabPath& path, const LabFigures& figures,
                 const LabConditions& conditions) {
  LabVerdict verdict;
  if (path.needs == LabNeed::kFaults && !conditions.faults)
    return {true, "this kernel does not tell of page faults on cached pages: not judged"};
  if (path.needs == LabNeed::kUring && !conditions.uring)
    return {true, "this kernel does not tell of io_uring's requests: not judged"};
  const Textbook& book = path.textbook;
  const auto differ = [&](std::string_view what) {
    verdict.agrees = false;
    add(verdict.why, what);
  };
  if (!figures.complete) differ("some of its requests are incomplete");
  if (!near(figures.copies_per_byte(), book.cpu_copies, kCopyTolerance)) differ("CPU copies");
  if (book.dma > 0 && !conditions.dma)
    add(verdict.why, "the disk has no DMA of its own: not judged");
  else if (!near(figures.dma_per_byte(), book.dma, kDmaTolerance))
    differ("DMA");
  if (book.switches && !near(figures.switches_per_round(), *book.switches, kSwitchTolerance))
    differ("mode switches");
  if (book.nic_dma > 0) add(verdict.why, "no network card: loopback");
  return verdict;
}

}  // namespace iohops
