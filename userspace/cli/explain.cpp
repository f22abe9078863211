// `iohops explain`: single requests of a recording, each as a waterfall.
#include <memory>

#include "cli/arguments.hpp"
#include "cli/grammar.hpp"
#include "cli/run.hpp"
#include "cli/subcommand.hpp"
#include "sinks/explain.hpp"
#include "sinks/json_fields.hpp"
#include "sinks/json_reader.hpp"
#include "sinks/text.hpp"
#include "system/input_file.hpp"
#include "system/terminal.hpp"

#include <unistd.h>

namespace iohops {
namespace {

struct Arguments {
  CommonArguments common;
  std::string input;
  std::vector<std::string> requests;
  uint32_t slowest = 0;
};

Result<Invocation> finish(const Arguments& arguments, const Surroundings& surroundings) {
  ExplainRequestOptions options;
  auto common = arguments.common.finish(surroundings);
  if (!common) return common.error();
  options.common = std::move(*common);
  if (arguments.input.empty() || arguments.input == "-")
    return Error{ErrorKind::kUsage,
                 "which recording? iohops explain trace.jsonl (a file: it is read twice)"};
  options.input = arguments.input;
  for (const std::string& word : arguments.requests) {
    if (!parse_request_id(word))
      return Error{ErrorKind::kUsage, "'" + word +
                                          "' is no request: PID.NUMBER, as in the report's slowest "
                                          "requests or the `id` of a record"};
    options.requests.push_back(word);
  }
  if (!options.requests.empty() && arguments.slowest > 0)
    return Error{ErrorKind::kUsage, "requests by name, or --slowest: one of them"};
  options.slowest = arguments.slowest > 0 ? arguments.slowest : 1;
  return Invocation(std::move(options));
}

Status read_all(const std::string& path, Sink& sink) {
  Result<std::unique_ptr<ByteReader>> file = open_input(path);
  if (!file) return file.error();
  Status read = read_json(**file, sink);
  if (!read && read.error().kind == ErrorKind::kDamaged)
    return about(input_name(path), read.error());
  return read;
}

Result<std::vector<RequestId>> wanted(const ExplainRequestOptions& options) {
  std::vector<RequestId> ids;
  for (const std::string& word : options.requests) ids.push_back(*parse_request_id(word));
  if (!ids.empty()) return ids;
  SlowestRequests slowest(options.slowest);
  if (Status read = read_all(options.input, slowest); !read) return read.error();
  return slowest.ids();
}

}  // namespace

Finish declare_explain(CLI::App& app) {
  const auto arguments = std::make_shared<Arguments>();
  describe(app, "single requests of a recording: what happened when, hop by hop",
           "FILE [REQUEST...] [--slowest N]",
           R"(Examples:
  iohops explain trace.jsonl                      the request that took longest
  iohops explain trace.jsonl --slowest 5
  iohops explain trace.jsonl 4242.17 4242.18      by name, as the report tells them)");
  add_value(app, "FILE", arguments->input, "what record or replay wrote", {"", "FILE"});
  add_values(app, "REQUEST", arguments->requests, "these", {"REQUEST...", "REQUEST"});
  add_number(app, "--slowest", arguments->slowest, "those that took longest (1)", {1U, 1000U}, "N");
  arguments->common.declare(app);
  return [arguments](const Surroundings& surroundings) { return finish(*arguments, surroundings); };
}

Result<int> run_explain(const ExplainRequestOptions& options) {
  const Result<std::vector<RequestId>> ids = wanted(options);
  if (!ids) return ids.error();
  if (ids->empty())
    return Error{ErrorKind::kRuntime, input_name(options.input) + " holds no request"};
  ExplainOptions page;
  page.utf8 = adopt_utf8_locale();
  page.color = use_color(options.common.colored(), STDOUT_FILENO);
  page.width = terminal_columns(STDOUT_FILENO).value_or(page.width);
  Explanation explanation(*ids, page);
  if (Status read = read_all(options.input, explanation); !read) return read.error();
  if (const RequestId* missing = explanation.missing(); missing != nullptr)
    return Error{ErrorKind::kRuntime,
                 input_name(options.input) + " has no request " + std::to_string(missing->pid) +
                     "." + std::to_string(missing->seq) + " (iohops report names the slowest)"};
  return print(explanation.text());
}

}  // namespace iohops
