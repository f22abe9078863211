#include "cli/arguments.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <memory>
#include <string_view>

#include "cli/units.hpp"
#include "core/filter.hpp"
#include "core/ops.hpp"

namespace iohops {
namespace {

constexpr const char* kTargets =
    "-p PID[,PID...] (running processes), -- CMD ARG... (a new one) or -a (everything)";

// Values may be given in one argument with commas or by repeating the option.
std::vector<std::string> split_at_commas(const std::vector<std::string>& values) {
  std::vector<std::string> words;
  for (const std::string& value : values) {
    std::string_view rest = value;
    while (!rest.empty()) {
      const std::string_view word = rest.substr(0, rest.find(','));
      if (!word.empty()) words.emplace_back(word);
      rest.remove_prefix(std::min(word.size() + 1, rest.size()));
    }
  }
  return words;
}

Status check_op(const std::string& wanted) {
  std::string all;
  for (std::string_view name : op_names()) {
    if (glob_match(wanted, name)) return {};
    all += (all.empty() ? "" : ", ") + std::string(name);
  }
  return Error{ErrorKind::kUsage, "--op: '" + wanted + "' is no operation; there are " + all +
                                      ", and globs such as 'p*'"};
}

class HelpFormatter : public CLI::Formatter {
 public:
  explicit HelpFormatter(std::string usage) : usage_(std::move(usage)) { column_width(32); }

  std::string make_usage(const CLI::App* app, std::string) const override {
    const bool top = app->get_parent() == nullptr;
    return "\nUsage: iohops " + (top ? std::string() : app->get_name() + " ") + usage_ + "\n";
  }

  // The base class leaves two empty lines between groups.
  std::string make_help(const CLI::App* app, std::string name,
                        CLI::AppFormatMode mode) const override {
    std::string help = CLI::Formatter::make_help(app, std::move(name), mode);
    for (size_t at = 0; (at = help.find("\n\n\n", at)) != std::string::npos;) help.erase(at, 1);
    return help;
  }

 private:
  std::string usage_;
};

}  // namespace

Error about(const std::string& option, const Error& error) {
  return {error.kind, option + ": " + error.message};
}

std::string input_name(const std::string& path) { return path == "-" ? "stdin" : path; }

void set_help(CLI::App& app, const std::string& usage, const std::string& examples) {
  app.formatter(std::make_shared<HelpFormatter>(usage));
  app.footer(examples);
}

void CommonArguments::declare(CLI::App& app) {
  app.add_flag("-q,--quiet", quiet_, "errors and warnings only")->group("Common");
  app.add_flag("-v,--verbose", verbosity_, "say more on stderr")->group("Common");
  app.add_option("--color", color_,
                 "auto: when stderr or stdout is a terminal (and NO_COLOR unset)")
      ->check(CLI::IsMember({"auto", "always", "never"}))
      ->option_text("auto|always|never")
      ->group("Common");
}

Result<CommonOptions> CommonArguments::finish(const Surroundings& surroundings) const {
  if (quiet_ && verbosity_ > 0)
    return Error{ErrorKind::kUsage, "-q and -v contradict each other: give one"};
  CommonOptions options;
  options.quiet = quiet_;
  options.verbosity = verbosity_;
  options.color = color_ == "always"  ? ColorChoice::kAlways
                  : color_ == "never" ? ColorChoice::kNever
                                      : ColorChoice::kAuto;
  options.command_line = surroundings.command_line;
  return options;
}

void TargetArguments::declare(CLI::App& app) {
  app.add_option("-p,--pid", pids_, "these processes, with all their threads")
      ->option_text("PID[,PID...]")
      ->type_name("PID")
      ->allow_extra_args(false)
      ->group("Target (one of -p, -a, -- CMD)");
  app.add_flag("-a,--all", all_, "everything on this machine, but never iohops itself")
      ->group("Target (one of -p, -a, -- CMD)");
  app.add_flag("-f,--follow", follow_, "children of the processes too (always for -- CMD)")
      ->group("Target (one of -p, -a, -- CMD)");
}

Result<TargetOptions> TargetArguments::finish(const Surroundings& surroundings) const {
  const auto& command = surroundings.command;
  if (command && command->empty())
    return Error{ErrorKind::kUsage, "no command after --: iohops record -- CMD ARG..."};
  const int kinds = !pids_.empty() + all_ + command.has_value();
  if (kinds == 0) return Error{ErrorKind::kUsage, std::string("name a target: ") + kTargets};
  if (kinds > 1)
    return Error{ErrorKind::kUsage, std::string("give one kind of target, not ") +
                                        std::to_string(kinds) + ": " + kTargets};
  TargetOptions target;
  target.all = all_;
  target.follow = follow_ || command.has_value();
  if (command) target.command = *command;
  if (pids_.empty()) return target;
  std::string list;
  for (const std::string& value : pids_) list += value + ",";
  auto pids = parse_pids(list);
  if (!pids) return pids.error();
  target.pids = std::move(*pids);
  return target;
}

void FilterArguments::declare(CLI::App& app, bool per_request) {
  const char* group =
      per_request ? "Filter (on finished requests; totals count only what passes)" : "Filter";
  app.add_option("--op", ops_, "these operations (globs allowed): read, pwrite64, page_fault, ...")
      ->option_text("OP[,OP...]")
      ->type_name("OP")
      ->allow_extra_args(false)
      ->group(group);
  app.add_option("--path", paths_, "files whose whole path matches; * matches / too")
      ->option_text("GLOB")
      ->type_name("GLOB")
      ->allow_extra_args(false)
      ->group(group);
  app.add_option("--dev", devices_, "files on these block devices: vda, 254:0")
      ->option_text("NAME[,NAME...]")
      ->type_name("DEVICE")
      ->allow_extra_args(false)
      ->group(group);
  if (!per_request) return;
  app.add_option("--min-latency", min_latency_, "requests that took at least this: 1ms")
      ->option_text("DUR")
      ->type_name("DUR")
      ->group(group);
  app.add_option("--min-bytes", min_bytes_, "requests that asked for at least this: 64K")
      ->option_text("SIZE")
      ->type_name("SIZE")
      ->group(group);
}

Result<Filter> FilterArguments::finish() const {
  Filter filter;
  filter.ops = split_at_commas(ops_);
  for (const std::string& op : filter.ops)
    if (Status known = check_op(op); !known) return known.error();
  filter.paths = paths_;
  filter.devices = split_at_commas(devices_);
  if (!min_latency_.empty()) {
    auto latency = parse_duration(min_latency_, BareNumber::kRefused);
    if (!latency) return about("--min-latency", latency.error());
    filter.min_latency_ns = *latency;
  }
  if (!min_bytes_.empty()) {
    auto bytes = parse_size(min_bytes_);
    if (!bytes) return about("--min-bytes", bytes.error());
    filter.min_bytes = *bytes;
  }
  return filter;
}

}  // namespace iohops
