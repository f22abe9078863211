#include "cli/conversion.hpp"

#include <algorithm>

#include "system/random.hpp"

namespace iohops {
namespace {

std::vector<Sink*> outputs(Sink* listing, std::vector<Sink*> sinks) {
  if (listing) sinks.push_back(listing);
  return sinks;
}

}  // namespace

RebuildContext rebuild_context(const Header& header, uint64_t start_ns,
                               const RebuildLimits& limits) {
  RebuildContext context;
  static_cast<RebuildLimits&>(context) = limits;
  context.start_ns = start_ns;
  context.page_size = header.page_size;
  context.machine = header.machine;
  context.devices = header.devices;
  context.light = header.light;
  context.sees_bios =
      std::find(header.hooks.begin(), header.hooks.end(), "block_bio_queue") != header.hooks.end();
  const auto measured = [&](const char* figure) {
    const auto found = header.evidence.find(figure);
    return found != header.evidence.end() && found->second.first == Evidence::kMeasured;
  };
  context.measured = {.files = measured("cpu_copies"),
                      .pipes = measured("cpu_copies_pipes"),
                      .sockets = measured("cpu_copies_sockets")};
  return context;
}

Result<std::optional<RedactionKey>> new_redaction_key(bool wanted) {
  if (!wanted) return std::optional<RedactionKey>();
  const auto key = random_bytes<std::tuple_size_v<RedactionKey>>();
  return key ? Result(std::optional<RedactionKey>(*key)) : key.error();
}

namespace {

const char* stop_reason(uint32_t reason) {
  switch (reason) {
    case WIRE_STOP_DURATION:
      return "duration";
    case WIRE_STOP_TARGET_EXIT:
      return "target_exit";
    default:
      return "interrupted";
  }
}

}  // namespace

Conversion::Conversion(const Header& header, uint64_t start_ns, const Filter& filter,
                       JsonWriter* json, const MemoryShares& memory,
                       const std::optional<RedactionKey>& redaction, const Thinning& thinning)
    : header_(header),
      start_ns_(start_ns),
      json_(json),
      thin_(json && !thinning.lists_all() ? std::make_optional<ThinSink>(thinning, *json) : std::nullopt),
      fanout_(outputs(thin_ ? static_cast<Sink*>(&*thin_) : json, {&summarizer_, &advisor_})),
      redact_(redaction ? std::make_optional<RedactSink>(*redaction, fanout_) : std::nullopt),
      output_(redact_ ? static_cast<Sink&>(*redact_) : fanout_),
      filter_(filter, output_, memory.filter),
      rebuilder_(rebuild_context(header, start_ns, memory.rebuild), filter.empty() ? output_ : filter_) {
  header_.thinned = thin_ ? thinning.text() : "";
}

Status Conversion::begin() {
  if (Status named = filter_.header(header_); !named) return named;
  return {};
}

// What no record of the ledger carries.
Summary Conversion::known(const wire_end* end) const {
  const RebuildCounters& counters = rebuilder_.counters();
  Summary known;
  known.absorbed_bytes = counters.absorbed_bytes;
  known.pending_bytes = counters.pending_bytes;
  known.readahead_unused_bytes = counters.readahead_unused_bytes;
  known.advice = advisor_.advise();
  known.copies_in_doubt = counters.copies_in_doubt;
  if (!end) return known;
  known.duration_ns = std::max<uint64_t>(end->header.time_ns, start_ns_) - start_ns_;
  known.stop_reason = stop_reason(end->stop_reason);
  known.suspended_ns = end->suspended_ns;
  known.clock_step_ns = end->clock_step_ns;
  Overhead& overhead = known.overhead;
  overhead.ring_wanted_bytes = end->ring_wanted_bytes;
  if (end->bpf_ns != WIRE_UNKNOWN) overhead.bpf_ns = end->bpf_ns;
  overhead.events = end->records;
  if (known.duration_ns) {
    overhead.cpu_percent =
        100.0 * static_cast<double>(end->collector_cpu_ns) / static_cast<double>(known.duration_ns);
  }
  if (end->ring_bytes) {
    overhead.ring_peak_percent =
        100.0 * static_cast<double>(end->ring_peak_bytes) / static_cast<double>(end->ring_bytes);
  }
  return known;
}

Result<Summary> Conversion::finish() {
  const bool truncated = !rebuilder_.counters().end.has_value();
  if (Status done = rebuilder_.finish(truncated); !done) return done.error();
  if (Status settled = filter_.settle(); !settled) return settled.error();
  const auto& end = rebuilder_.counters().end;
  summarizer_.merge(known(end ? &*end : nullptr));
  Summary summary = summarizer_.take();
  if (thin_) summary.left_out = thin_->left_out();
  if (json_) {
    if (!truncated) {
      if (Status written = json_->summary(summary); !written) return written.error();
    }
    if (Status written = json_->finish(truncated); !written) return written.error();
  }
  return summary;
}

}  // namespace iohops
