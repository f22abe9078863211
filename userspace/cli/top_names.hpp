// TopNames: what the rings carry while top adds up in the kernel: names of processes and files. It
// gives them to the model and knows which tallies pass the filter.
#pragma once

#include <cstdint>
#include <set>
#include <unordered_map>

#include "core/decode.hpp"
#include "core/filter.hpp"
#include "core/model/model.hpp"
#include "core/rebuild/names.hpp"
#include "core/top/model.hpp"

namespace iohops {

class TopNames : private Sink {
 public:
  TopNames(const Filter& filter, const std::vector<Device>& devices, uint64_t start_ns,
           TopModel& model);

  void record(Record record);

  // Whether a tally is shown. Device work is kept whatever the operation: it is known per process
  // and file only. Single requests are not seen, so there is no minimum of time or size.
  bool passes(const wire_tally_key& key) const;

 private:
  Status process(const Process& process) override;
  Status file(const File& file) override;
  void name_alias(const wire_file& record);

  Filter filter_;
  std::set<uint32_t> devices_;
  TopModel& model_;
  Names names_;
  static constexpr size_t kNames = 262'144;             // as Names keeps
  RecentMap<uint64_t, File> files_{kNames};             // by the identity that Names gives
  mutable RecentMap<uint64_t, bool> verdicts_{kNames};  // alias -> its file passes
};

}  // namespace iohops
