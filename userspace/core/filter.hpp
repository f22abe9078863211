// Filter: which finished requests of a trace are kept, and the Sink that drops the others. Sees
// only the model; knows nothing of the command line or of the kernel.
#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/rebuild/recent_map.hpp"
#include "core/sink.hpp"

namespace iohops {

// Every member that is set must hold; the entries of a list are alternatives.
struct Filter {
  std::vector<std::string> ops{};      // "read", "page_fault", ... or a glob over them: "p*64"
  std::vector<std::string> paths{};    // globs over the whole path: `*` and `?` match `/` too
  std::vector<std::string> devices{};  // names or "major:minor"; of the file system or of the DMA
  std::optional<uint64_t> min_latency_ns{};
  std::optional<uint64_t> min_bytes{};  // bytes asked for (a fault asks for none)

  bool empty() const {
    return ops.empty() && paths.empty() && devices.empty() && !min_latency_ns && !min_bytes;
  }
};

// `*`, `?` and `[set]`, `\` takes the next character as it is. Runs in O(text * pattern) at worst,
// whatever the pattern: both may come from a stranger.
bool glob_match(std::string_view pattern, std::string_view text);

// The devices that the filter names, partitions of disks included.
std::set<uint32_t> device_ids(const Filter& filter, const std::vector<Device>& devices);

// What of a filter the kernel side can judge by itself, before a record is made. It only takes away
// what the filter would drop; what it lets through is judged again.
struct EarlyFilter {
  std::function<bool(std::string_view op)> wants_op;  // empty: all
  uint64_t min_latency_ns = 0;
  uint64_t min_bytes = 0;
  std::vector<uint32_t> devices;   // empty: all; kernel dev_t of file systems
  std::vector<std::string> paths;  // globs; each file is judged when it is named
  bool wants_path(std::string_view path) const;
};
EarlyFilter early_filter(const Filter& filter, const std::vector<Device>& devices);

// How much a FilterSink remembers.
struct FilterLimits {
  size_t files = 262'144;
  size_t verdicts = 65'536;    // in pages of 2048 requests
  size_t transfers = 262'144;  // whose owners have not ended yet
};

// Hands on what passes the filter. A block request usually arrives before the requests that own it
// end: it is held until one of them passes (then it goes first) or none did. Effects and flows pass
// if one of their requests did. A transfer or effect passes whole, with all its owners. What no
// request owns passes with a device filter alone, if its device does. Files are named when a record
// that passed needs them; processes, loss and the end always pass.
// What goes beyond its limits is forgotten, the oldest first; a record that could not be judged for
// that reason is dropped and counts as evicted. A summary from above counts what the filter takes
// away, so it is dropped unless the filter is empty: the owner of the filter puts a Summarizer
// below it.
class FilterSink : public Sink {
 public:
  FilterSink(Filter filter, Sink& next, const FilterLimits& limits = {});

  Status header(const Header&) override;
  Status process(const Process&) override;
  Status file(const File&) override;
  Status request(const Request&) override;
  Status transfer(const Transfer&) override;
  Status effect(const Effect&) override;
  Status flow(const Flow&) override;
  Status loss(const Loss&) override;
  Status summary(const Summary&) override;
  Status finish(bool truncated) override;
  // The stream is over: tells what had to be given up. Once, before the summary; finish() does it
  // too.
  Status settle();

 private:
  struct HeldFile {
    File file;
    bool path_passes = false;
    bool named = false;
  };
  // Verdicts of 2048 consecutive requests of a process.
  struct Page {
    std::bitset<2048> decided, kept;
  };
  enum class Verdict { kUndecided, kDropped, kKept };

  bool passes(const Request&) const;
  bool op_passes(std::string_view op) const;
  bool device_passes(uint32_t device) const;
  bool devices_only() const;
  const HeldFile* known_file(uint32_t id) const;
  void decide(RequestId, bool keep);
  Verdict verdict(RequestId) const;
  Verdict verdict(const std::vector<Share>&) const;  // kept if one is, dropped if all are
  Status hold(const Transfer&);
  Status release_held(RequestId decided, bool keep);
  Status send(const Transfer&);
  Status name_file(uint32_t id);

  Filter filter_;
  Sink& next_;
  std::set<uint32_t> device_ids_;
  FilterLimits limits_;
  mutable RecentMap<uint64_t, HeldFile> files_;
  using PageKey = std::pair<uint32_t, uint64_t>;
  std::map<PageKey, Page> pages_;
  std::deque<PageKey> page_order_;  // the oldest first
  bool forgot_verdicts_ = false;
  std::map<uint64_t, Transfer> held_;           // by arrival
  std::multimap<RequestId, uint64_t> waiting_;  // undecided owner -> held transfer
  std::set<std::string, std::less<>> names_;    // ops and flags of held transfers
  uint64_t arrivals_ = 0;
  uint64_t evicted_ = 0;
  uint64_t last_ns_ = 0;
};

}  // namespace iohops
