// `iohops doctor`: what this kernel allows and how well each figure will be known.
#include <unistd.h>

#include <memory>
#include <optional>

#include "cli/arguments.hpp"
#include "cli/diagnosis.hpp"
#include "cli/grammar.hpp"
#include "cli/run.hpp"
#include "cli/subcommand.hpp"
#include "system/terminal.hpp"

namespace iohops {
namespace {

struct Arguments {
  CommonArguments common;
  bool json = false;
  bool hooks = false;
};

constexpr size_t kDefaultWidth = 100;

}  // namespace

Finish declare_doctor(CLI::App& app) {
  const auto arguments = std::make_shared<Arguments>();
  describe(app, "say what this kernel allows, and what fixes what it does not",
           "[--json] [--hooks]",
           "It loads and attaches every BPF program for a moment, if it may, and records nothing.\n"
           "Exit code: 0 tracing is possible, 3 the kernel cannot, 4 no permission.");
  add_flag(app, "--json", arguments->json, "one JSON document");
  add_flag(app, "--hooks", arguments->hooks, "list every hook, with what it is for");
  arguments->common.declare(app);
  return [arguments](const Surroundings& surroundings) -> Result<Invocation> {
    auto common = arguments->common.finish(surroundings);
    if (!common) return common.error();
    DoctorOptions options;
    options.common = std::move(*common);
    options.json = arguments->json;
    options.hooks = arguments->hooks;
    return Invocation(std::move(options));
  };
}

Result<int> run_doctor(const DoctorOptions& options) {
  const Diagnosis diagnosis = diagnose();
  const size_t width = terminal_columns(STDOUT_FILENO).value_or(kDefaultWidth);
  const Result<int> printed =
      print(options.json
                ? diagnosis_json(diagnosis)
                : diagnosis_text(diagnosis, options.hooks, use_color(options.common.colored(), STDOUT_FILENO), width));
  if (!printed) return printed.error();
  return diagnosis.exit_code();
}

}  // namespace iohops
