// Turns absolute tallies into what happened in an interval. Sees the kernel's rows and names only.
#include "core/top/tallies.hpp"

#include <algorithm>

#include "core/ops.hpp"

namespace iohops {
namespace {

// A counter that became smaller was deleted and made anew.
uint64_t since(uint64_t now, uint64_t before) { return now >= before ? now - before : now; }

bool in_page_cache(const File& file) {
  return (file.kind == FileKind::kRegular || file.kind == FileKind::kBlock) && !file.dax;
}

// read(2) and write(2) copy each byte once, wherever it lives, unless the device moves it straight
// into the caller's pages. O_DIRECT means that only for files of a device: on a pipe it asks for
// packets, and memory has no device to bypass to. That the kernel fell back to the page cache for a
// direct request does not show in a tally.
// To a socket "direct" is MSG_ZEROCOPY.
bool copies(bool direct, const File& file) {
  if (file.kind == FileKind::kSocket) return !direct;
  return !file.copies_nothing && (!direct || !in_page_cache(file));
}

bool could_hit(uint16_t op, bool direct, const File* file) {
  const OpFamily f = family(op);
  if (f == OpFamily::kFault) return file == nullptr || in_page_cache(*file);
  return f == OpFamily::kRead && !direct && file != nullptr && in_page_cache(*file);
}

bool writes(const TopTally& tally) {
  return tally.value.dirtied_bytes > 0 ||
         (family(tally.key.op) == OpFamily::kWrite && tally.value.returned > 0);
}

}  // namespace

size_t TopTallies::KeyHash::operator()(const wire_tally_key& key) const {
  const uint64_t process_file = uint64_t{key.tgid} << 32 | key.file;
  const uint64_t kind = uint64_t{key.op} << 1 | (key.direct & 1);
  return static_cast<size_t>((process_file ^ kind << 48) * 0x9e3779b97f4a7c15u >> 16);
}

bool TopTallies::KeyEqual::operator()(const wire_tally_key& a, const wire_tally_key& b) const {
  return a.tgid == b.tgid && a.file == b.file && a.op == b.op && a.direct == b.direct;
}

void TopTallies::name_process(const Process& process) {
  if (processes_.size() < kMaxNames || processes_.count(process.pid) > 0)
    processes_[process.pid] = process;
}

void TopTallies::name_file(uint32_t alias, const File& file) {
  if (identities_.size() >= kMaxNames && identities_.count(alias) == 0) return;
  // Without an inode number nothing tells that two aliases are one file. Identities of named files
  // start above those of bare aliases, so that they never meet.
  const uint64_t own = uint64_t{1} << 32 | alias;
  const auto inode = std::tuple(file.dev, file.inode, file.generation);
  const uint64_t id = file.inode == 0 ? own : inodes_.try_emplace(inode, own).first->second;
  identities_[alias] = id;
  files_[id] = file;
}

const Process* TopTallies::process(uint32_t pid) const {
  const auto found = processes_.find(pid);
  return found == processes_.end() ? nullptr : &found->second;
}

const File* TopTallies::file(uint64_t id) const {
  const auto found = files_.find(id);
  return found == files_.end() ? nullptr : &found->second;
}

uint64_t TopTallies::identity(uint32_t alias) const {
  const auto found = identities_.find(alias);
  return found == identities_.end() ? alias : found->second;
}

void TopTallies::find_sole_writers(std::span<const TopTally> tallies) {
  for (const TopTally& tally : tallies) {
    if (tally.key.tgid == 0 || tally.key.file == 0 || !writes(tally)) continue;
    const auto [known, first] = sole_writer_.try_emplace(identity(tally.key.file), tally.key.tgid);
    if (!first && known->second != tally.key.tgid) known->second = 0;
  }
}

uint32_t TopTallies::charged_pid(const wire_tally_key& key, uint64_t file) const {
  if (key.tgid != 0) return key.tgid;
  const auto writer = sole_writer_.find(file);
  return writer == sole_writer_.end() ? 0 : writer->second;
}

TopFigures TopTallies::difference(const wire_tally_key& key, const wire_tally& now,
                                  const wire_tally& before) const {
  TopFigures f;
  f.writeback_bytes = since(now.writeback_bytes, before.writeback_bytes);
  f.device_bytes = since(now.read_bytes, before.read_bytes) +
                   since(now.written_bytes, before.written_bytes) + f.writeback_bytes;
  if (key.op == WIRE_OP_DEVICE) return f;
  const File* known = file(identity(key.file));
  f.requests = since(now.requests, before.requests);
  f.errors = since(now.errors, before.errors);
  f.returned_bytes = since(now.returned, before.returned);
  // What sendfile and its kin copy depends on both files, of which a tally knows one.
  if (known != nullptr && moves_data(key.op) && family(key.op) != OpFamily::kMove) {
    f.judged_bytes = f.returned_bytes;
    if (copies(key.direct != 0, *known)) f.copy_bytes = f.returned_bytes;
  }
  // A ring's requests enter with the call that submits them, which has a row of its own.
  const bool enters = !is_ringed(key.op) && family(key.op) != OpFamily::kStream;
  f.mode_switches = enters ? 2 * f.requests : 0;
  if (could_hit(key.op, key.direct != 0, known)) {
    f.cached_requests = f.requests;
    f.cached_misses = since(now.misses, before.misses);
  }
  f.duration_ns = since(now.duration_ns, before.duration_ns);
  f.off_cpu_ns = since(now.off_cpu_ns, before.off_cpu_ns);
  // The buckets are 32 bits wide and wrap; a row that began anew shows it in its requests.
  const bool anew = now.requests < before.requests;
  for (size_t i = 0; i < f.latency.size(); ++i)
    f.latency[i] =
        anew ? now.latency[i] : static_cast<uint32_t>(now.latency[i] - before.latency[i]);
  return f;
}

std::vector<TopDelta> TopTallies::update(const TopSample& sample) {
  ++generation_;
  find_sole_writers(sample.tallies);
  std::vector<TopDelta> deltas;
  deltas.reserve(sample.tallies.size());
  for (const TopTally& tally : sample.tallies) {
    Known& known = known_.try_emplace(tally.key, Known{}).first->second;
    const uint64_t file = identity(tally.key.file);
    deltas.push_back({.pid = charged_pid(tally.key, file),
                      .file = file,
                      .op = tally.key.op,
                      .figures = difference(tally.key, tally.value, known.value)});
    known = {tally.value, generation_};
  }
  std::erase_if(known_,
                [this](const auto& entry) { return entry.second.generation != generation_; });
  return deltas;
}

}  // namespace iohops
