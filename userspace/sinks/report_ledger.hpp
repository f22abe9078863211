// ReportLedger: what a report keeps of a trace while it streams by: names, totals by group,
// devices, the slowest requests, the weakest evidence of each hop. Sees records; does not see text.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/model/model.hpp"
#include "core/model/summary.hpp"
#include "core/summarizer.hpp"
#include "sinks/slowest.hpp"
#include "sinks/report.hpp"

namespace iohops {

// A request that outlives the call that handed it over.
struct SlowRequest {
  RequestId id;
  std::string op;
  uint32_t file = 0;
  std::optional<uint64_t> offset;
  std::optional<uint64_t> returned_bytes;  // unset: it moves no data to the caller
  uint64_t duration_ns = 0;
  uint64_t off_cpu_ns = 0;
  CacheOutcome cache = CacheOutcome::kNone;
  bool complete = true;
  bool time_known = true;  // off_cpu_ns is all that it slept
  std::optional<WaitReason> longest_wait;
  uint64_t longest_wait_ns = 0;  // all waits of that reason
};

struct GroupTotals {
  std::string label;  // raw bytes; empty: the report knows the name by the key
  OpTotals totals;
  uint64_t later_bytes = 0;  // written by the kernel after the requests had returned
};

struct DeviceTotals {
  uint64_t transfers = 0;
  uint64_t read_bytes = 0, written_bytes = 0;
  uint64_t errors = 0;
  Latency queued;   // from queue to issue
  Latency serving;  // from issue to completion
  bool dma = false;
};

// The device work of one process or of one file.
struct DeviceShare {
  uint64_t transfers = 0;
  uint64_t read_bytes = 0, written_bytes = 0;
  Latency latency;  // from queue to completion
};

// Memory is bounded: names, groups and slow requests have limits; what is beyond the limit of
// groups is added up in one row, so that a table still sums up to the totals.
class ReportLedger {
 public:
  static constexpr size_t kNames = 100'000;
  static constexpr size_t kGroups = 10'000;

  explicit ReportLedger(const TextReportOptions& options)
      : options_(options), slowest_(options.top_n) {}

  void header(const Header& header) {
    header_ = header;
    (void)summarizer_.header(header);
  }
  void process(const Process&);
  void file(const File&);
  Status request(const Request&);
  Status transfer(const Transfer&);
  Status effect(const Effect&);
  Summarizer& summarizer() { return summarizer_; }
  // No records follow.
  void close();

  const std::optional<Header>& header() const { return header_; }
  const Summary& summary() const { return summary_; }
  const std::map<uint32_t, DeviceTotals>& devices() const { return devices_; }
  // Of a trace without system calls: by who queued it and by whose pages it moved, the most bytes first. Key 0: the
  // kernel itself, or no file; what is beyond the limit is there, too.
  std::vector<std::pair<uint32_t, DeviceShare>> by_queuer() const { return sorted(queuers_); }
  std::vector<std::pair<uint32_t, DeviceShare>> by_pages() const { return sorted(pages_); }
  // The slowest first.
  const std::vector<SlowRequest>& slowest() const { return slowest_.kept(); }
  // The rows of a table of the chosen grouping, by returned bytes, the largest first, then by time.
  // Groups beyond the limit are the last row.
  std::vector<GroupTotals> groups(ReportGroup) const;

  std::optional<Evidence> evidence(HopKind, Endpoint from, Endpoint to) const;
  struct Handed {  // page references, which no summary counts
    Endpoint from, to;
    uint64_t bytes;
  };
  std::vector<Handed> references() const;
  const std::set<std::string>& filesystems() const { return filesystems_; }
  std::string file_name(uint32_t id) const;      // raw bytes
  std::string process_name(uint32_t pid) const;  // raw bytes: "postgres (4242)"
  std::string device_name(uint32_t id) const;    // raw bytes; "254:0" if it has none
  const Device* device(uint32_t id) const;

 private:
  void keep_if_slow(const Request&);
  void note_evidence(HopKind, Endpoint from, Endpoint to, Evidence);
  GroupTotals& group(uint64_t key);
  using DeviceShares = std::unordered_map<uint32_t, DeviceShare>;
  static void add_share(DeviceShares&, uint32_t key, const Transfer&, uint64_t bytes);
  static std::vector<std::pair<uint32_t, DeviceShare>> sorted(const DeviceShares&);
  void share_out(const Transfer&);

  const TextReportOptions options_;
  std::optional<Header> header_;
  Summarizer summarizer_;
  Summary summary_;
  std::unordered_map<uint32_t, std::string> files_;
  std::unordered_map<uint32_t, std::string> processes_;
  std::set<std::string> filesystems_;  // of files that live on a device
  std::unordered_map<uint64_t, GroupTotals> groups_;
  GroupTotals others_;
  std::unordered_map<uint64_t, uint64_t> later_;  // key of a group -> bytes written later
  std::map<uint32_t, DeviceTotals> devices_;
  DeviceShares queuers_, pages_;  // by process, by file
  Slowest<SlowRequest> slowest_;
  // [kind][from][to]: one more than the weakest seen, 0: none
  std::array<std::array<std::array<uint8_t, kEndpoints>, kEndpoints>, 6> weakest_{};
  std::array<std::array<uint64_t, kEndpoints>, kEndpoints> referenced_{};
};

}  // namespace iohops
