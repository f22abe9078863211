// `iohops replay`: a raw recording once more through the rebuild, into JSON.
#include <fmt/format.h>

#include <cstdio>
#include <memory>

#include "cli/arguments.hpp"
#include "cli/conversion.hpp"
#include "cli/grammar.hpp"
#include "cli/subcommand.hpp"
#include "core/form.hpp"
#include "core/raw.hpp"
#include "sinks/json_header.hpp"
#include "sinks/json_writer.hpp"
#include "sinks/text.hpp"
#include "system/input_file.hpp"
#include "system/output_file.hpp"

namespace iohops {
namespace {

struct Arguments {
  CommonArguments common;
  FilterArguments filter;
  ThinningArguments thinning;
  std::string input, output, max_mem;
  bool redact = false;
};

Result<Invocation> finish(const Arguments& arguments, const Surroundings& surroundings) {
  ReplayOptions options;
  auto common = arguments.common.finish(surroundings);
  if (!common) return common.error();
  options.common = std::move(*common);
  auto filter = arguments.filter.finish();
  if (!filter) return filter.error();
  options.filter = std::move(*filter);
  auto thinning = arguments.thinning.finish();
  if (!thinning) return thinning.error();
  options.thinning = *thinning;
  if (arguments.input.empty() || arguments.output.empty())
    return Error{ErrorKind::kUsage,
                 "replay reads a raw recording and writes JSON: iohops replay RAW -o FILE|-"};
  auto form = form_of(arguments.output);
  if (!form) return form.error();
  options.input = arguments.input;
  options.output = arguments.output;
  auto memory = parse_max_mem(arguments.max_mem);
  if (!memory) return memory.error();
  options.max_memory = *memory;
  options.redact = arguments.redact;
  return Invocation(std::move(options));
}

// All records through the conversion; the summary of what there was.
Result<Summary> convert(RawReader& raw, Conversion& conversion) {
  if (Status begun = conversion.begin(); !begun) return begun.error();
  for (;;) {
    Result<Record> record = raw.next();
    if (!record) return record.error();
    if (record->empty()) return conversion.finish();
    if (Status fed = conversion.feed(*record); !fed) return fed.error();
  }
}

void tell(const ReplayOptions& options, const RawReader& raw, const Summary& summary) {
  if (summary.stop_reason.empty())
    fmt::print(stderr, "iohops: {} was cut short after {} bytes: no summary was written\n",
               text::escape(input_name(options.input)), text::grouped(raw.offset()));
  if (options.common.quiet) return;
  fmt::print(stderr, "iohops: {}, {} request{}, {} lost", text::duration(summary.duration_ns),
             text::grouped(summary.requests), summary.requests == 1 ? "" : "s",
             text::grouped(summary.lost_total()));
  if (options.output != "-") fmt::print(stderr, " -> {}", text::escape(options.output));
  fmt::print(stderr, "\n");
}

}  // namespace

Finish declare_replay(CLI::App& app) {
  const auto arguments = std::make_shared<Arguments>();
  describe(app, "turn a raw recording into JSON", "RAW -o FILE|- [FILTER]",
           "The JSON is the same as record would have written. The raw recording is what a bug "
           "report needs.");
  add_value(app, "RAW", arguments->input, "what record --raw wrote, - is stdin", {"", "FILE"});
  add_value(app, "-o,--output", arguments->output, "write JSON there, - is stdout",
            {"FILE|-", "FILE"});
  add_value(app, "--max-mem", arguments->max_mem,
            "memory to take at most; what goes beyond is counted as lost (512M)", {"SIZE", "SIZE"});
  add_flag(app, "--redact", arguments->redact,
           "names of files, processes and arguments become hashes, to share");
  arguments->thinning.declare(app);
  arguments->filter.declare(app, true);
  arguments->common.declare(app);
  return [arguments](const Surroundings& surroundings) { return finish(*arguments, surroundings); };
}

Result<int> run_replay(const ReplayOptions& options) {
  Result<std::unique_ptr<ByteReader>> input = open_input(options.input);
  if (!input) return input.error();
  RawReader raw(**input);
  if (Status opened = raw.open(); !opened) return about(input_name(options.input), opened.error());
  Result<Header> header = parse_header(raw.header_json());
  if (!header) return about(input_name(options.input), header.error());
  const Result<Form> form = form_of(options.output);
  if (!form) return form.error();
  Result<std::unique_ptr<ByteWriter>> output = open_output(options.output);
  if (!output) return output.error();

  JsonWriter json(**output, *form);
  const Result<std::optional<RedactionKey>> redaction = new_redaction_key(options.redact);
  if (!redaction) return redaction.error();
  Conversion conversion(*header, raw.start_ns(), options.filter, &json,
                        share_memory(options.max_memory, false, !options.filter.empty()), *redaction, options.thinning);
  Result<Summary> summary = convert(raw, conversion);
  if (!summary) {
    const bool input_failed = summary.error().kind == ErrorKind::kDamaged;
    return input_failed ? about(input_name(options.input), summary.error()) : summary.error();
  }
  if (Status closed = (*output)->close(); !closed) return closed.error();
  tell(options, raw, *summary);
  return 0;
}

}  // namespace iohops
