// `iohops top`: its options. What it does is in top_run.cpp.
#include <memory>

#include "cli/arguments.hpp"
#include "cli/grammar.hpp"
#include "cli/subcommand.hpp"
#include "cli/units.hpp"
#include "core/top/columns.hpp"

namespace iohops {
namespace {

constexpr uint64_t kShortestInterval = 100'000'000;

struct Arguments {
  CommonArguments common;
  TargetArguments target;
  FilterArguments filter;
  std::string interval, sort;
  uint32_t count = 0;
  bool batch = false;
};

// All columns by their keys; after every `per_line` of them stands `between` instead of a comma.
std::string sort_keys(std::string_view between, size_t per_line) {
  std::string keys;
  size_t listed = 0;
  for (const TopColumnInfo& column : top_columns()) {
    if (listed > 0) keys += listed % per_line == 0 ? between : ", ";
    keys += column.key;
    ++listed;
  }
  return keys;
}

Status check_sort(const std::string& key) {
  if (key.empty() || parse_top_column(key)) return {};
  const std::string keys = sort_keys(", ", 1);
  return Error{ErrorKind::kUsage, "--sort: '" + key + "' is no column; there are " + keys};
}

Result<Invocation> finish(const Arguments& arguments, const Surroundings& surroundings) {
  TopOptions options;
  auto common = arguments.common.finish(surroundings);
  if (!common) return common.error();
  options.common = std::move(*common);
  // Without a target it watches everything, as top does.
  TargetArguments target = arguments.target;
  if (!surroundings.command) target.default_to_all();
  auto chosen = target.finish(surroundings);
  if (!chosen) return chosen.error();
  options.target = std::move(*chosen);
  auto filter = arguments.filter.finish();
  if (!filter) return filter.error();
  options.filter = std::move(*filter);
  if (!arguments.interval.empty()) {
    auto interval = parse_duration(arguments.interval, BareNumber::kSeconds);
    if (!interval) return about("-i", interval.error());
    if (*interval < kShortestInterval)
      return Error{ErrorKind::kUsage, "-i: at least 100ms, or top itself is what it shows"};
    options.interval_ns = *interval;
  }
  if (Status sort = check_sort(arguments.sort); !sort) return sort.error();
  options.sort = arguments.sort;
  options.batch = arguments.batch;
  if (arguments.count != 0) options.count = arguments.count;
  return Invocation(std::move(options));
}

}  // namespace

Finish declare_top(CLI::App& app) {
  const auto arguments = std::make_shared<Arguments>();
  describe(app, "watch requests, copies, device bytes and waits, live",
           "[TARGET] [FILTER] [-i SECS] [-n COUNT] [-b] [--sort COLUMN]",
           R"help(Examples:
  iohops top                                      every process
  iohops top -p "$(pgrep -d, postgres)"
  iohops top -b -n 3 --sort p99                   three times plain rows, for a pipe or a file

Keys: q leave, ? help, arrows or j k, Enter go down, Esc back, / filter, s or < > sort column,
r reverse, Space freeze, + - interval. The kernel adds up, so single requests are not seen:
--op leaves device work as it is, and there is no minimum of time or size.)help");
  arguments->target.declare(app);
  add_value(app, "-i,--interval", arguments->interval, "time between two screens (1s)",
            {"SECS", "DUR"});
  add_number(app, "-n,--count", arguments->count, "end after so many screens", {1U, 4'000'000'000U},
             "COUNT");
  add_flag(app, "-b,--batch", arguments->batch, "plain rows (also when stdout is no terminal)");
  add_value(app, "--sort", arguments->sort, "by one of\n" + sort_keys(",\n", 6),
            {"COLUMN", "COLUMN"});
  arguments->filter.declare(app, false);
  arguments->common.declare(app);
  return [arguments](const Surroundings& surroundings) { return finish(*arguments, surroundings); };
}

}  // namespace iohops
