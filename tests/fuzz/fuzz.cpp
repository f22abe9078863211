#include "tests/fuzz/fuzz.hpp"

#include <simdjson.h>

#include <cstdio>
#include <cstdlib>

#include "sinks/diff.hpp"
#include "sinks/explain.hpp"
#include "sinks/json_reader.hpp"
#include "sinks/json_summary.hpp"
#include "sinks/own_summary.hpp"
#include "sinks/report.hpp"
#include "tests/unit/json_trace.hpp"

namespace iohops::fuzz {
namespace {

using test::MemoryReader;
using test::MemoryWriter;

void explain(const std::string& json) {
  SlowestRequests slowest(3);
  MemoryReader first(json);
  if (!read_json(first, slowest)) return;
  Explanation explanation(slowest.ids(), {});
  MemoryReader second(json);
  require(static_cast<bool>(read_json(second, explanation)),
          "a trace that was read is refused when read again");
  require(explanation.missing() == nullptr, "a request of the trace is not found in it");
  require_printable(explanation.text(), "explain");
}

void compare(const std::string& json) {
  OwnSummary own;
  MemoryReader input(json);
  if (!read_json(input, own)) return;
  const Compared one{"one", own.get()};
  require_printable(diff_text(one, one, {}), "diff");
  require_printable(diff_json(one, one), "diff as JSON");
  require_printable(summary_json(one.summary, own.paths()), "the summary");
}

}  // namespace

void require(bool holds, std::string_view what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %.*s\n", static_cast<int>(what.size()), what.data());
  std::abort();
}

void require_damaged(const Status& status) {
  if (status) return;
  require(status.error().kind == ErrorKind::kDamaged,
          "an input is refused, but not as damaged: " + status.error().message);
  require(!status.error().message.empty(), "an error says nothing");
}

void require_printable(std::string_view text, std::string_view what) {
  require(simdjson::validate_utf8(text.data(), text.size()), std::string(what) + " is no UTF-8");
  for (size_t i = 0; i < text.size(); i++) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const bool c1 =
        byte == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0;
    require((byte >= 0x20 || byte == '\n') && byte != 0x7f && !c1,
            std::string(what) + " has a raw control character");
  }
}

Status read_as_person(const std::string& json) {
  MemoryWriter page;
  TextReport report(page, {.top_n = 5});
  MemoryReader input(json, 4096);
  const Status read = read_json(input, report);
  require_printable(page.text, "the report");
  if (!read) return read;
  explain(json);
  compare(json);
  return {};
}

Status Sound::request(const Request& r) {
  require(r.start_ns + r.duration_ns >= r.start_ns, "a request ends before it begins");
  uint64_t copied = 0;
  for (const Hop& hop : r.hops) {
    require(hop.at_ns <= hop.end_ns, "a hop ends before it begins");
    if (hop.kind == HopKind::kCpuCopy) copied += hop.bytes;
  }
  require(copied == r.cpu_copy_bytes, "a request counts other copies than it shows");
  std::vector<bool>& told = told_[r.id.pid];
  if (told.size() <= r.id.seq) told.resize(r.id.seq + 1);
  require(!told[r.id.seq], "a request is told twice");
  told[r.id.seq] = true;
  return {};
}

Status Sound::transfer(const Transfer& transfer) {
  uint64_t bytes = transfer.unattributed_bytes;
  for (const Share& share : transfer.owners) bytes += share.bytes;
  const bool conserved = bytes == transfer.bytes || (bytes < transfer.bytes && !transfer.carries_data());
  require(conserved && transfer.unattributed_bytes <= transfer.bytes, "a transfer does not conserve bytes");
  return {};
}

Status Sound::effect(const Effect& effect) {
  uint64_t bytes = 0;
  for (const Share& share : effect.requests) bytes += share.bytes;
  require(bytes == effect.bytes, "an effect does not conserve bytes");
  return {};
}

}  // namespace iohops::fuzz
