// JSON traces: what `report`, `explain` and `diff` do with a file that anybody may have written.
#include "sinks/json_reader.hpp"

#include "sinks/json_writer.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "tests/unit/json_trace.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace iohops;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const Status read = fuzz::read_as_person(text);
  fuzz::require_damaged(read);
  if (!read) {
    fuzz::require_printable(read.error().message, "the reason");
    return 0;
  }
  // What was accepted is a trace: written anew, it is read again.
  test::MemoryWriter again;
  JsonWriter writer(again, Form::kLines);
  test::MemoryReader input(text);
  fuzz::require(static_cast<bool>(read_json(input, writer)),
                "a trace that was read is refused when read again");
  fuzz::require_printable(again.text, "the JSON");
  const Status second = fuzz::read_as_person(again.text);
  fuzz::require(static_cast<bool>(second),
                "what was written is not read: " + (second ? "" : second.error().message));
  return 0;
}
