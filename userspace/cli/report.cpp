// `iohops report`: a recording as a page to read, or its summary as JSON.
#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>

#include "cli/arguments.hpp"
#include "cli/grammar.hpp"
#include "cli/subcommand.hpp"
#include "core/raw.hpp"
#include "sinks/json_reader.hpp"
#include "sinks/json_summary.hpp"
#include "sinks/own_summary.hpp"
#include "sinks/report.hpp"
#include "system/input_file.hpp"
#include "system/output_file.hpp"
#include "system/terminal.hpp"

#include <unistd.h>

namespace iohops {
namespace {

struct Arguments {
  CommonArguments common;
  std::string input;
  std::string output = "-";
  std::string format = "text";
  std::string group_by = "file";
  uint32_t top_n = 10;
};

Result<Invocation> finish(const Arguments& arguments, const Surroundings& surroundings) {
  ReportOptions options;
  auto common = arguments.common.finish(surroundings);
  if (!common) return common.error();
  options.common = std::move(*common);
  if (arguments.input.empty())
    return Error{ErrorKind::kUsage, "which recording? iohops report trace.jsonl (- is stdin)"};
  options.input = arguments.input;
  options.output = arguments.output;
  options.format = arguments.format == "json" ? ReportFormat::kJson : ReportFormat::kText;
  options.top_n = arguments.top_n;
  options.group_by = arguments.group_by == "process"  ? GroupBy::kProcess
                     : arguments.group_by == "thread" ? GroupBy::kThread
                     : arguments.group_by == "device" ? GroupBy::kDevice
                     : arguments.group_by == "op"     ? GroupBy::kOp
                                                      : GroupBy::kFile;
  return Invocation(std::move(options));
}

// A ByteReader with a look at the first bytes.
class Peeking : public ByteReader {
 public:
  explicit Peeking(ByteReader& in) : in_(in) {}

  // Whether the input starts with `magic`; what was read for that comes again.
  Result<bool> starts_with(std::string_view magic) {
    std::string begin(magic.size(), '\0');
    size_t got = 0;
    while (got < begin.size()) {
      Result<size_t> part = in_.read(std::span(begin).subspan(got));
      if (!part) return part.error();
      if (*part == 0) break;
      got += *part;
    }
    begin.resize(got);
    peeked_ = begin;
    return begin == magic;
  }

  Result<size_t> read(std::span<char> into) override {
    if (peeked_.empty()) return in_.read(into);
    const size_t take = std::min(into.size(), peeked_.size());
    std::memcpy(into.data(), peeked_.data(), take);
    peeked_.erase(0, take);
    return take;
  }

 private:
  ByteReader& in_;
  std::string peeked_;
};

TextReportOptions page(const ReportOptions& options) {
  TextReportOptions page;
  page.top_n = options.top_n;
  page.group_by = static_cast<ReportGroup>(options.group_by);
  static_assert(static_cast<int>(GroupBy::kOp) == static_cast<int>(ReportGroup::kOp) &&
                static_cast<int>(GroupBy::kDevice) == static_cast<int>(ReportGroup::kDevice));
  page.utf8 = adopt_utf8_locale();
  const bool to_stdout = options.output == "-";
  const std::optional<bool> color = options.common.colored();
  page.color = to_stdout ? use_color(color, STDOUT_FILENO) : color.value_or(false);
  if (to_stdout) page.width = terminal_columns(STDOUT_FILENO).value_or(page.width);
  return page;
}

Status write_json(ByteReader& input, ByteWriter& output) {
  OwnSummary summary;
  if (Status read = read_json(input, summary); !read) return read;
  return output.write(summary_json(summary.get(), summary.paths()) + "\n");
}

Status write_text(ByteReader& input, ByteWriter& output, const ReportOptions& options) {
  TextReport report(output, page(options));
  return read_json(input, report);
}

}  // namespace

Finish declare_report(CLI::App& app) {
  const auto arguments = std::make_shared<Arguments>();
  describe(app, "read a recording: how the bytes moved, where the time went",
           "FILE|- [--format text|json] [-o FILE] [--top N] [--group-by KEY]",
           R"(Examples:
  iohops report trace.jsonl
  iohops report trace.json.zst --group-by process --top 20
  iohops record -o - -d 5s -a | iohops report -
  iohops report trace.jsonl --format json | jq .cpu_copies)");
  add_value(app, "FILE", arguments->input, "what record or replay wrote, - is stdin", {"", "FILE"});
  add_choice(app, "--format", arguments->format, "a page to read, or the summary as JSON",
             {"text", "json"});
  add_value(app, "-o,--output", arguments->output, "write there, - is stdout (default)",
            {"FILE|-", "FILE"});
  add_number(app, "--top", arguments->top_n, "rows per table (10)", {1U, 100'000U}, "N");
  add_choice(app, "--group-by", arguments->group_by, "the table that stands first (file)",
             {"file", "process", "thread", "device", "op"});
  arguments->common.declare(app);
  return [arguments](const Surroundings& surroundings) { return finish(*arguments, surroundings); };
}

Result<int> run_report(const ReportOptions& options) {
  Result<std::unique_ptr<ByteReader>> file = open_input(options.input);
  if (!file) return file.error();
  Peeking input(**file);
  const Result<bool> raw = input.starts_with(kRawMagic);
  if (!raw) return raw.error();
  if (*raw)
    return Error{ErrorKind::kUsage, input_name(options.input) +
                                        " is a raw recording: iohops replay " + options.input +
                                        " -o - | iohops report -"};
  Result<std::unique_ptr<ByteWriter>> output = open_output(options.output);
  if (!output) return output.error();
  const Status written = options.format == ReportFormat::kJson
                             ? write_json(input, **output)
                             : write_text(input, **output, options);
  if (!written)
    return written.error().kind == ErrorKind::kDamaged
               ? about(input_name(options.input), written.error())
               : written.error();
  if (Status closed = (*output)->close(); !closed) return closed.error();
  return 0;
}

}  // namespace iohops
