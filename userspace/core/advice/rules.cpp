// The rules, one function each: what must be seen before anything is advised, and what it would save.
// A saving is what the trace shows to be spent, less what the advised way costs for the same bytes.
#include <fmt/format.h>

#include <algorithm>

#include "core/advice/advisor.hpp"

namespace iohops {
namespace {

constexpr uint64_t kKiB = 1 << 10;
constexpr uint64_t kMiB = 1 << 20;
constexpr uint64_t kGiB = 1 << 30;
constexpr uint64_t kLarge = 64 * kKiB;  // a request that is large enough: more saves little

using Entries = std::vector<AdviceEntry>;

// `part` is at least `percent` of `whole`.
bool at_least(uint64_t part, uint64_t percent, uint64_t whole) {
  return whole > 0 && part / percent >= whole / 100 && part * 100 >= whole * percent;
}

AdviceEntry entry(const char* id, std::string title, const char* how, std::vector<RequestId> proof) {
  AdviceEntry one;
  one.id = id;
  one.title = std::move(title);
  one.how = how;
  one.evidence = std::move(proof);
  return one;
}

uint64_t large_requests(uint64_t bytes) { return (bytes + kLarge - 1) / kLarge; }

void small_requests(const std::string& name, const AccessFacts& f, const char* verb, Entries& out) {
  constexpr uint64_t kMany = 256;
  if (f.small < kMany) return;
  AdviceEntry one = entry(
      "small-requests",
      fmt::format("{} {} of {} bytes on average, one behind the other: {}", f.small, verb,
                  f.small_bytes / f.small, name),
      "move 64 KiB and more at once: a larger buffer, readv(2) or writev(2), or io_uring with many requests a call",
      f.small_ones.list());
  const uint64_t each = f.mode_switches / f.requests;
  const uint64_t spent = f.small * each, left = large_requests(f.small_bytes) * each;
  one.saves_mode_switches = spent > left ? spent - left : 0;
  out.push_back(std::move(one));
}

// The kernel reads ahead of sequential readers: if most of it was missed all the same, it did not, or too little.
void cold_sequential(const std::string& name, const AccessFacts& f, Entries& out) {
  if (f.miss_bytes < 4 * kMiB || !at_least(f.miss_bytes, 50, f.bytes)) return;
  if (!at_least(f.sequential, 75, f.requests) || !at_least(f.wait_ns, 50, f.duration_ns)) return;
  out.push_back(entry(
      "cold-sequential",
      fmt::format("{} of {} read in sequence from {} had to be waited for: {} ms", in_units(f.miss_bytes),
                  in_units(f.bytes), name, f.wait_ns / 1'000'000),
      "posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL) doubles the readahead, POSIX_FADV_WILLNEED or readahead(2) begins it early",
      f.missed.list()));
}

void streaming(const std::string& name, const AccessFacts& f, Entries& out) {
  if (f.bytes < 64 * kMiB || f.highest <= f.lowest || !at_least(f.sequential, 90, f.requests)) return;
  const bool once = f.bytes <= (f.highest - f.lowest) + (f.highest - f.lowest) / 10;
  if (!once || !at_least(f.device_bytes, 90, f.bytes)) return;
  if (!at_least(f.copied_bytes, 90, f.bytes)) return;  // most of it came past the page cache
  AdviceEntry one = entry(
      "cold-streaming", fmt::format("{} of {} came from the device once, through the page cache", in_units(f.bytes), name),
      "O_DIRECT reads without the copy and leaves the cache to others; buffer, offset and size must be multiples of the "
      "logical block size (statx(2), STATX_DIOALIGN), and readahead is then the program's own affair",
      f.first.list());
  one.saves_cpu_copies = f.copies;
  one.saves_bytes = f.copied_bytes;
  out.push_back(std::move(one));
}

void hot_rereads(const std::string& name, const AccessFacts& f, Entries& out) {
  constexpr uint64_t kMany = 10'000;
  if (f.requests < kMany || f.highest <= f.lowest || !at_least(f.hit_bytes, 99, f.bytes)) return;
  if (f.bytes / 8 < f.highest - f.lowest || at_least(f.sequential, 50, f.requests)) return;
  AdviceEntry one = entry("hot-rereads",
                          fmt::format("{} reads took {} out of {} of {} that are cached, in no order", f.requests,
                                      in_units(f.bytes), in_units(f.highest - f.lowest), name),
                          "mmap(2) it: what is mapped is neither copied nor asked for (a page fault each page, once)",
                          f.first.list());
  one.saves_cpu_copies = f.copies;
  one.saves_bytes = f.copied_bytes;
  one.saves_mode_switches = f.mode_switches;
  out.push_back(std::move(one));
}

void direct_in_vain(const std::string& name, const AccessFacts& f, const char* verb, Entries& out) {
  constexpr const char* kHow =
      "give it buffers, offsets and sizes that are multiples of what statx(2) tells with STATX_DIOALIGN; a write that "
      "makes the file longer, or fills a hole, may fall back all the same";
  if (f.fallbacks > 0) {
    AdviceEntry one = entry("direct-fallback",
                            fmt::format("{} {} with O_DIRECT went through the page cache: {} copied, {}",
                                        f.fallbacks, verb, in_units(f.fallback_bytes), name),
                            kHow, f.fallen_back.list());
    one.saves_cpu_copies = f.fallbacks;
    one.saves_bytes = f.fallback_bytes;
    out.push_back(std::move(one));
  }
  if (f.refused > 0)
    out.push_back(entry("direct-refused", fmt::format("{} {} with O_DIRECT failed with EINVAL: {}", f.refused, verb, name),
                        kHow, f.refusals.list()));
}

void sync_storm(const std::string& name, const SyncFacts& f, Entries& out) {
  constexpr uint64_t kMany = 32;
  if (f.requests < kMany || f.written_bytes / f.requests >= kLarge) return;
  AdviceEntry one = entry(
      "sync-storm",
      fmt::format("{} syncs of {} for {} written each, {} ms in all, {} to the device by themselves",
                  f.requests, name, in_units(f.written_bytes / f.requests), f.duration_ns / 1'000'000,
                  in_units(f.device_bytes)),
      "sync once for many writes (group commit); the saving is that of a single sync, what is between is yours to choose",
      {f.slowest});
  one.saves_mode_switches = f.mode_switches - f.mode_switches / f.requests;
  out.push_back(std::move(one));
}

// Streams of glibc, and of Python, take st_blksize bytes (4096) at a time into memory from malloc, which never begins
// a page. The trace cannot show the copy from there: it is advised of, not counted. What goes on from the very memory
// that it was read into is not copied in between.
void probable_stream(const std::string& name, const AccessFacts& f, uint64_t relayed_bytes, const char* verb,
                     Entries& out) {
  constexpr uint64_t kMany = 64;
  if (f.streamed < kMany || !at_least(f.streamed, 75, f.requests)) return;
  if (at_least(relayed_bytes, 50, f.streamed_bytes)) return;
  AdviceEntry one = entry("stdio-buffering",
                          fmt::format("{} {} of 4096 bytes with one buffer look like a buffered stream: {} of {} are "
                                      "probably copied once more in user space (inferred; not in the ledger)",
                                      f.streamed, verb, in_units(f.streamed_bytes), name),
                          "iohops record --stdio tells and measures it for the C library (a buffer of the program's own looks the "
                          "same); a larger buffer (setvbuf(3)) saves calls, requests "
                          "as large as the buffer save the copy",
                          f.streams.list());
  one.saves_mode_switches = (f.streamed - std::min(f.streamed, large_requests(f.streamed_bytes))) * 2;
  out.push_back(std::move(one));
}

void unused_readahead(const std::string& name, const ReadaheadFacts& f, Entries& out) {
  const uint64_t unused = f.bytes - std::min(f.bytes, f.used_bytes);
  if (unused < kMiB || !at_least(unused, 50, f.bytes)) return;
  out.push_back(entry("unused-readahead",
                      fmt::format("{} of {} that were read ahead of {} were not used by any traced request",
                                  in_units(unused), in_units(f.bytes), name),
                      "posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM) switches readahead off for a descriptor", f.proof.list()));
}

}  // namespace

std::string in_units(uint64_t bytes) {
  const auto in = [&](uint64_t unit) { return static_cast<double>(bytes) / static_cast<double>(unit); };
  if (bytes >= kGiB) return fmt::format("{:.1f} GiB", in(kGiB));
  if (bytes >= kMiB) return fmt::format("{:.1f} MiB", in(kMiB));
  return bytes >= 10 * kKiB ? fmt::format("{:.1f} KiB", in(kKiB)) : fmt::format("{} bytes", bytes);
}

void advise_on_file(const Facts& facts, Facts::Key key, const FileFacts& file, Entries& out) {
  const std::string name = facts.name(key.second);
  const FileKind kind = facts.kind(key.second);
  small_requests(name, file.reads, "reads", out);
  small_requests(name, file.writes, "writes", out);
  if (kind == FileKind::kRegular || kind == FileKind::kBlock) {
    cold_sequential(name, file.reads, out);
    streaming(name, file.reads, out);
    hot_rereads(name, file.reads, out);
    direct_in_vain(name, file.reads, "reads", out);
    direct_in_vain(name, file.writes, "writes", out);
    sync_storm(name, file.syncs, out);
    if (facts.stdio_bytes() == 0) {
      const Relayed relayed = facts.relayed(key.second);
      probable_stream(name, file.reads, relayed.read_bytes, "reads", out);
      probable_stream(name, file.writes, relayed.written_bytes, "writes", out);
    }
  }
}

void advise_on_all(const Facts& facts, Entries& out) {
  for (const auto& [file, ahead] : facts.readahead()) unused_readahead(facts.name(file), ahead, out);
  const ZeroCopyFacts& zero = facts.zero_copy();
  if (zero.copied_bytes > 0 && at_least(zero.copied_bytes, 50, zero.bytes))
    out.push_back(entry("zero-copy-copied",
                        fmt::format("{} sends with MSG_ZEROCOPY: {} of {} were copied after all", zero.requests,
                                    in_units(zero.copied_bytes), in_units(zero.bytes)),
                        "to receivers on this machine the kernel copies; leave the flag away there: it costs page references and "
                        "notifications",
                        zero.proof.list()));
  constexpr uint64_t kStreams = kMiB;
  if (facts.stdio_bytes() < kStreams) return;
  AdviceEntry one = entry("stdio-buffering",
                          fmt::format("{} were copied between the C library's buffers and the program (measured)",
                                      in_units(facts.stdio_bytes())),
                          "read(2) and write(2), or fread(3) and fwrite(3) of more than the buffer, copy once less",
                          facts.stdio_proof().list());
  one.saves_bytes = facts.stdio_bytes();
  out.push_back(std::move(one));
}

}  // namespace iohops
