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
  struct Alike;
  void add_hop(const Hop&);
  void add_copies(const Hop&, const Count&);
  void add_sync(const Request&);
  void add_stage(const Transfer&);
  void add_sync_work(const Transfer&);
  uint64_t& lost(std::string_view cause);
  size_t op_row(std::string_view op);
  size_t file_row(uint32_t file);
  bool add_alike(const Request&);
  void begin_alike(Alike&, const Request&);
  void take_over(Alike&);

  Summary summary_;
  std::optional<Summary> exact_;
  using FlowKey = std::tuple<uint32_t, uint32_t, std::string>;  // from, to, kind
  std::map<FlowKey, FlowTotals> flows_;
  uint64_t last_ns_ = 0;  // the latest end seen: the duration where nobody knows better
  std::vector<std::pair<std::string, OpTotals>> ops_;  // few: searched from the front
  size_t last_op_ = 0;
  std::vector<FileTotals> files_;  // [0] is the row of all others
  FlatMap<uint64_t, size_t> file_rows_;
  uint32_t last_file_ = 0;
  size_t last_file_row_ = 0;
  // Requests of one file that are alike are added up by what differs; the rest is counted when they are taken over.
  struct AlikeKey {
    uint64_t number = 0;  // Request::alike
    uint32_t file = 0;
    uint32_t strangers = 0;  // that came for this place since
  };
  struct alignas(64) Alike {
    size_t op = kNoRow;
    uint64_t on_cpu_ns = 0;
    OpTotals sum;
    size_t file_row = 0;
    Request one;  // what they have in common
  };
  static constexpr size_t kNoRow = SIZE_MAX;  // as `op`: they are not added up so
  static constexpr size_t kPlaces = 256;
  // More of them than this take the place: to take over costs as much as some dozens of requests do.
  static constexpr uint32_t kMostStrangers = 256;
  std::vector<AlikeKey> alike_keys_;  // apart from the rest: a stranger looks at no more
  std::vector<Alike> alike_;
};

}  // namespace iohops
