// Raw recordings: what `replay` does with a file, and `report` with what comes out.
#include "core/raw.hpp"

#include "cli/conversion.hpp"
#include "sinks/json_header.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "tests/unit/json_trace.hpp"

namespace iohops::fuzz {
namespace {

Status replay(std::string bytes, std::string& json) {
  test::MemoryReader input(std::move(bytes), 4096);
  RawReader raw(input);
  if (Status opened = raw.open(); !opened) return opened;
  const Result<Header> header = parse_header(raw.header_json());
  if (!header) require_printable(header.error().message, "the reason");
  test::MemoryWriter output;
  JsonWriter writer(output, Form::kLines);
  // The recordings of the tests have an empty header, and so will most that are made up.
  Conversion conversion(header ? *header : test::sample_header(), raw.start_ns(), {}, &writer);
  if (Status begun = conversion.begin(); !begun) return begun;
  for (;;) {
    const Result<Record> record = raw.next();
    if (!record) return record.error();
    if (record->empty()) break;
    if (Status fed = conversion.feed(*record); !fed) return fed;
  }
  const Result<Summary> summary = conversion.finish();
  if (!summary) return summary.error();
  json = std::move(output.text);
  return {};
}

}  // namespace
}  // namespace iohops::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace iohops;
  std::string json;
  const Status replayed = fuzz::replay({reinterpret_cast<const char*>(data), size}, json);
  fuzz::require_damaged(replayed);
  if (!replayed) {
    fuzz::require_printable(replayed.error().message, "the reason");
    return 0;
  }
  fuzz::require_printable(json, "the JSON");
  const Status read = fuzz::read_as_person(json);
  fuzz::require(static_cast<bool>(read),
                "what replay wrote is not read: " + (read ? "" : read.error().message));
  return 0;
}
