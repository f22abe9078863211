// Conversion: from raw records to what a person asked for: rebuild, filter, summary, JSON. Shared
// by `record`, which feeds it live, and `replay`, which feeds it from a file: the result is the
// same.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "cli/memory.hpp"
#include "core/advice/advisor.hpp"
#include "core/decode.hpp"
#include "core/filter.hpp"
#include "core/rebuild/rebuilder.hpp"
#include "core/redact.hpp"
#include "core/result.hpp"
#include "core/summarizer.hpp"
#include "core/thinning.hpp"
#include "sinks/fanout.hpp"
#include "sinks/json_writer.hpp"

namespace iohops {

// What the rebuild needs to know of the traced machine.
RebuildContext rebuild_context(const Header& header, uint64_t start_ns,
                               const RebuildLimits& limits = {});

// A key that no other recording has, if names are to become hashes.
Result<std::optional<RedactionKey>> new_redaction_key(bool wanted);

class Conversion {
 public:
  // `json` may be null (only the summary is wanted) and outlives this; it lists what `thinning` leaves. With a key, names are hashes from
  // behind the filter on, which judges them as they are.
  Conversion(const Header& header, uint64_t start_ns, const Filter& filter, JsonWriter* json,
             const MemoryShares& memory = {}, const std::optional<RedactionKey>& redaction = {},
             const Thinning& thinning = {});

  Status begin();  // hands the header on
  Status feed(Record record) { return rebuilder_.feed(record); }
  // Hands out what is held, then the summary. Without the collector's last record the trace was cut
  // short: no summary is written, but one is returned.
  Result<Summary> finish();

  uint64_t requests() const { return summarizer_.requests(); }  // so far

 private:
  Summary known(const wire_end* end) const;

  Header header_;
  uint64_t start_ns_;
  JsonWriter* json_;
  Summarizer summarizer_;
  Advisor advisor_;
  std::optional<ThinSink> thin_;
  Fanout fanout_;
  std::optional<RedactSink> redact_;
  Sink& output_;  // what passes the filter
  FilterSink filter_;
  Rebuilder rebuilder_;
};

}  // namespace iohops
