#include "cli/arguments.hpp"

#include <algorithm>
#include <charconv>
#include <string_view>

#include "cli/grammar.hpp"
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

}  // namespace

Error about(const std::string& option, const Error& error) {
  return {error.kind, option + ": " + error.message};
}

std::string input_name(const std::string& path) { return path == "-" ? "stdin" : path; }

void CommonArguments::declare(CLI::App& app) {
  add_flag(app, "-q,--quiet", quiet_, "errors and warnings only", kCommonGroup);
  add_counter(app, "-v,--verbose", verbosity_, "say more on stderr", kCommonGroup);
  add_choice(app, "--color", color_,
             "auto: when stderr or stdout is a terminal (and NO_COLOR unset)",
             {"auto", "always", "never"}, kCommonGroup);
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
  const char* group = "Target (one of -p, -a, -- CMD)";
  add_values(app, "-p,--pid", pids_, "these processes, with all their threads",
             {"PID[,PID...]", "PID", group});
  add_flag(app, "-a,--all", all_, "everything on this machine, but never iohops itself", group);
  add_flag(app, "-f,--follow", follow_, "children of the processes too (always for -- CMD)", group);
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
  add_values(app, "--op", ops_, "these operations (globs allowed): read, pwrite64, page_fault, ...",
             {"OP[,OP...]", "OP", group});
  add_values(app, "--path", paths_, "files whose whole path matches; * matches / too",
             {"GLOB", "GLOB", group});
  add_values(app, "--dev", devices_, "files on these block devices: vda, 254:0",
             {"NAME[,NAME...]", "DEVICE", group});
  if (!per_request) return;
  add_value(app, "--min-latency", min_latency_, "requests that took at least this: 1ms",
            {"DUR", "DUR", group});
  add_value(app, "--min-bytes", min_bytes_, "requests that asked for at least this: 64K",
            {"SIZE", "SIZE", group});
}

void ThinningArguments::declare(CLI::App& app) {
  add_choice(app, "--detail", detail_,
             "misses: list no request that the page cache served at once (all)",
             {"all", "misses"});
  add_value(app, "--sample", sample_, "list one of so many requests; totals count them all: 1/100",
            {"1/N", "1/N"});
}

Result<Thinning> ThinningArguments::finish() const {
  Thinning thinning{.misses_only = detail_ == "misses"};
  if (sample_.empty()) return thinning;
  const std::string_view count = std::string_view(sample_).substr(sample_.starts_with("1/") ? 2 : sample_.size());
  const auto [end, problem] = std::from_chars(count.data(), count.data() + count.size(), thinning.one_of);
  if (count.empty() || problem != std::errc() || end != count.data() + count.size() || thinning.one_of == 0)
    return Error{ErrorKind::kUsage, "--sample: '" + sample_ + "' is not 1/N, as in --sample 1/100"};
  return thinning;
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
