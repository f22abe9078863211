// Filter: which finished requests of a trace are kept, and the Sink that drops the others. Sees
// only the model; knows nothing of the command line or of the kernel.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/sink.hpp"

namespace iohops {

// Every member that is set must hold; the entries of a list are alternatives.
struct Filter {
  std::vector<std::string> ops;      // "read", "page_fault", ... or a glob over them: "p*64"
  std::vector<std::string> paths;    // globs over the whole path: `*` and `?` match `/` too
  std::vector<std::string> devices;  // names or "major:minor"; of the file system or of the DMA
  std::optional<uint64_t> min_latency_ns;
  std::optional<uint64_t> min_bytes;  // bytes asked for (a fault asks for none)

  bool empty() const {
    return ops.empty() && paths.empty() && devices.empty() && !min_latency_ns && !min_bytes;
  }
};

// `*`, `?` and `[set]`, `\` takes the next character as it is. Runs in O(text * pattern) at worst,
// whatever the pattern: both may come from a stranger.
bool glob_match(std::string_view pattern, std::string_view text);

// Hands on what passes the filter, in order. Transfers, effects and flows pass if one of their
// requests did (or, with a device filter alone, if the device did). Names are handed on only when a
// record that passed needs them; loss and the end always are. A summary that arrives from above is
// dropped unless the filter is empty: it counts what the filter took away, so the one who owns the
// filter puts a Summarizer below it.
class FilterSink : public Sink {
 public:
  FilterSink(Filter filter, Sink& next);

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

 private:
  struct HeldFile {
    File file;
    bool path_passes = false;
    bool sent = false;
  };

  bool passes(const Request&) const;
  bool op_passes(std::string_view op) const;
  bool device_passes(uint32_t device) const;
  bool any_kept(const std::vector<Share>&) const;
  bool kept(RequestId) const;
  void keep(RequestId);
  Status name_file(uint32_t id);

  Filter filter_;
  Sink& next_;
  std::set<uint32_t> device_ids_;
  std::set<uint32_t> known_devices_;
  mutable std::unordered_map<std::string, bool> op_verdicts_;
  std::unordered_map<uint32_t, HeldFile> files_;
  std::unordered_map<uint32_t, std::vector<bool>> kept_;  // pid -> [seq]
};

}  // namespace iohops
