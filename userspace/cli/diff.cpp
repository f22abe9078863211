// `iohops diff`: two recordings, figure by figure.
#include <memory>

#include "cli/arguments.hpp"
#include "cli/grammar.hpp"
#include "cli/run.hpp"
#include "cli/subcommand.hpp"
#include "sinks/diff.hpp"
#include "sinks/json_reader.hpp"
#include "sinks/own_summary.hpp"
#include "system/input_file.hpp"
#include "system/terminal.hpp"

#include <unistd.h>

namespace iohops {
namespace {

struct Arguments {
  CommonArguments common;
  std::vector<std::string> inputs;
  std::string format = "text";
};

Result<Invocation> finish(const Arguments& arguments, const Surroundings& surroundings) {
  DiffRunOptions options;
  auto common = arguments.common.finish(surroundings);
  if (!common) return common.error();
  options.common = std::move(*common);
  if (arguments.inputs.size() != 2)
    return Error{ErrorKind::kUsage, "two recordings, please: iohops diff before.jsonl after.jsonl"};
  options.before = arguments.inputs[0];
  options.after = arguments.inputs[1];
  if (options.before == "-" && options.after == "-")
    return Error{ErrorKind::kUsage, "only one of the recordings can be stdin"};
  options.json = arguments.format == "json";
  return Invocation(std::move(options));
}

Result<Compared> read(const std::string& path) {
  Result<std::unique_ptr<ByteReader>> file = open_input(path);
  if (!file) return file.error();
  OwnSummary summary;
  const Status done = read_json(**file, summary);
  if (!done)
    return done.error().kind == ErrorKind::kDamaged ? about(input_name(path), done.error()) : done.error();
  Compared read{input_name(path), summary.get()};
  if (read.summary.light)
    return Error{ErrorKind::kUsage, input_name(path) + " was recorded with --light: it has no system calls, which a "
                                    "diff compares (iohops report shows what it has)"};
  return read;
}

}  // namespace

Finish declare_diff(CLI::App& app) {
  const auto arguments = std::make_shared<Arguments>();
  describe(app, "two recordings side by side: what a change of the program changed",
           "BEFORE AFTER [--format text|json]",
           R"(Examples:
  iohops diff before.jsonl after.jsonl
  iohops diff before.jsonl after.jsonl --format json | jq .figures.cpu_copies_per_byte)");
  add_values(app, "FILE", arguments->inputs, "what record or replay wrote, - is stdin", {"BEFORE AFTER", "FILE"});
  add_choice(app, "--format", arguments->format, "a table to read, or JSON", {"text", "json"});
  arguments->common.declare(app);
  return [arguments](const Surroundings& surroundings) { return finish(*arguments, surroundings); };
}

Result<int> run_diff(const DiffRunOptions& options) {
  const Result<Compared> before = read(options.before);
  if (!before) return before.error();
  const Result<Compared> after = read(options.after);
  if (!after) return after.error();
  if (options.json) return print(diff_json(*before, *after));
  DiffOptions page;
  page.utf8 = adopt_utf8_locale();
  page.color = use_color(options.common.colored(), STDOUT_FILENO);
  page.width = terminal_columns(STDOUT_FILENO).value_or(page.width);
  return print(diff_text(*before, *after, page));
}

}  // namespace iohops
