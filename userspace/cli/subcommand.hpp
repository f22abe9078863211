// How a subcommand joins the command line: it declares its options to the parser, and afterwards
// turns what was typed into checked options. What it declares them with is in grammar.hpp.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "cli/options.hpp"

namespace CLI {
class App;
}

namespace iohops {

using Invocation = std::variant<PrintOptions, RecordOptions, TopOptions, ReportOptions,
                                ExplainRequestOptions, DiffRunOptions, ReplayOptions, DoctorOptions,
                                LabOptions, SchemaOptions, CompletionOptions>;

// What stands outside the options of a subcommand.
struct Surroundings {
  std::vector<std::string> command_line;            // all of argv
  std::optional<std::vector<std::string>> command;  // what follows the first `--`
};

// Called once after parsing, if the subcommand was chosen.
using Finish = std::function<Result<Invocation>(const Surroundings&)>;

struct Subcommand {
  const char* name;
  Finish (*declare)(CLI::App&);
  bool takes_command;  // `-- CMD ARG...` may follow
};

Finish declare_record(CLI::App&);
Finish declare_top(CLI::App&);
Finish declare_report(CLI::App&);
Finish declare_explain(CLI::App&);
Finish declare_diff(CLI::App&);
Finish declare_replay(CLI::App&);
Finish declare_doctor(CLI::App&);
Finish declare_lab(CLI::App&);
Finish declare_schema(CLI::App&);
Finish declare_completion(CLI::App&);

}  // namespace iohops
