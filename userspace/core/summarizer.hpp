// Summarizer: adds a record stream up into a Summary. It sees only what a Sink sees, so that a live
// trace, a replay and a file whose own summary was cut off give the same figures.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "core/flat_map.hpp"
#include "core/sink.hpp"

namespace iohops {

// Rules. CPU copies come from the hops of requests. DMA comes from the transfers of devices that
// have DMA (every byte has an owner or is unattributed), never from hops, which would count a
// shared transfer once per view. Memory is bounded: beyond kTrackedFiles files and kTrackedOps
// operations the rest is added up in one row, so that the rows always sum up to the totals.
class Summarizer : public Sink {
 public:
  static constexpr size_t kTrackedFiles = 10'000;
  static constexpr size_t kTrackedOps = 256;
  static constexpr size_t kListedFiles = 100;
  static constexpr size_t kTrackedDevices =
      4096;  // with their causes; the rest is added up as device 0:0
  static constexpr size_t kTrackedLosses = 64;     // causes; the rest is added up as "other"
  static constexpr size_t kTrackedFlows = 10'000;  // more are in no row
  static constexpr size_t kListedFlows = 100;

  Status header(const Header&) override;
  Status request(const Request&) override;
  Status transfer(const Transfer&) override;
  Status effect(const Effect&) override;
  Status flow(const Flow&) override;
  Status loss(const Loss&) override;
  // A summary in the stream is one more source for merge().
  Status summary(const Summary&) override;

  // Takes over what no record carries, from the driver or from a file's own summary: duration,
  // stop reason, overhead, unused readahead, absorbed and pending bytes, flows and advice where the
  // stream had none; of losses the larger count of each cause. If requests were left out of the
  // stream, the stream cannot be added up: then take() is `known`.
  void merge(const Summary& known);

  uint64_t requests() const;  // so far
  // The summary of everything so far; the summarizer is spent.
  Summary take();

 private:
  void add_hop(const Hop&);
  void add_sync(const Request&);
  void add_stage(const Transfer&);
  void add_sync_work(const Transfer&);
  uint64_t& lost(std::string_view cause);
  size_t op_row(std::string_view op);
  size_t file_row(uint32_t file);
  size_t op_row_of(const Request&);

  Summary summary_;
  std::optional<Summary> exact_;
  using FlowKey = std::tuple<uint32_t, uint32_t, std::string>;  // from, to, kind
  std::map<FlowKey, FlowTotals> flows_;
  uint64_t last_ns_ = 0;  // the latest end seen: the duration where nobody knows better
  std::vector<std::pair<std::string, OpTotals>> ops_;  // few: searched from the front
  std::vector<FileTotals> files_;  // [0] is the row of all others
  FlatMap<uint64_t, size_t> file_rows_;
  uint32_t last_file_ = 0;
  size_t last_file_row_ = 0;
  // Of requests that are alike: where they are added up.
  struct Alike {
    uint64_t number = 0;
    size_t op = 0;
  };
  std::vector<Alike> alike_;
};

}  // namespace iohops
