// `iohops record`: its options. What it does is in record_run.cpp.
#include <bit>
#include <memory>

#include "cli/arguments.hpp"
#include "cli/grammar.hpp"
#include "cli/subcommand.hpp"
#include "cli/units.hpp"
#include "core/form.hpp"
#include "core/ring_size.hpp"

namespace iohops {
namespace {

constexpr const char* kDefaultOutput = "trace.jsonl";

struct Arguments {
  CommonArguments common;
  TargetArguments target;
  FilterArguments filter;
  ThinningArguments thinning;
  std::string duration, output, raw, max_lost, ring, max_mem;
  std::string copies = "auto";
  bool stdio = false;
  bool light = false;
  bool redact = false;
};

Status finish_outputs(const Arguments& arguments, RecordOptions& options) {
  options.raw = arguments.raw;
  options.redact = arguments.redact;
  if (options.redact && !options.raw.empty())
    return Error{ErrorKind::kUsage,
                 "--raw keeps names as they are: leave it out, or record without --redact and make what others "
                 "may see of it with iohops replay --redact"};
  if (!options.thinning.lists_all() && !options.raw.empty())
    return Error{ErrorKind::kUsage,
                 "--raw keeps every request: leave it out, or record without --detail and --sample and give them to "
                 "iohops replay"};
  options.output = arguments.output;
  if (options.output.empty() && options.raw.empty()) options.output = kDefaultOutput;
  if (!options.output.empty() && options.output == options.raw)
    return Error{ErrorKind::kUsage, "-o and --raw name the same file " + options.raw};
  if (options.output.empty()) return {};
  auto form = form_of(options.output);
  return form ? Status{} : Status{form.error()};
}

Status finish_ring(const std::string& text, RecordOptions& options) {
  if (text.empty()) return {};
  auto bytes = parse_size(text);
  if (!bytes) return about("--ring", bytes.error());
  if (*bytes < kSmallestRing || *bytes > kLargestRing)
    return Error{ErrorKind::kUsage, "--ring: '" + text + "' is not between 4K and 1G"};
  options.ring_bytes = std::bit_ceil(*bytes);
  return {};
}

// What asks for system calls is refused: to trace none and filter them would look like a program without any.
Status finish_light(const Arguments& arguments, RecordOptions& options) {
  options.light = arguments.light;
  if (!options.light) return {};
  const Filter& filter = options.filter;
  const char* other = options.stdio                                         ? "--stdio"
                      : arguments.copies != "auto"                          ? "--copies"
                      : !options.thinning.lists_all()                       ? "--detail and --sample"
                      : !filter.ops.empty()                                 ? "--op"
                      : !filter.paths.empty()                               ? "--path"
                      : filter.min_latency_ns                               ? "--min-latency"
                      : filter.min_bytes                                    ? "--min-bytes"
                                                                            : nullptr;
  if (other == nullptr) return {};
  return Error{ErrorKind::kUsage,
               std::string("--light traces no system calls, and ") + other + " is about them: leave one of the two out"};
}

Result<Invocation> finish(const Arguments& arguments, const Surroundings& surroundings) {
  RecordOptions options;
  auto common = arguments.common.finish(surroundings);
  if (!common) return common.error();
  options.common = std::move(*common);
  auto target = arguments.target.finish(surroundings);
  if (!target) return target.error();
  options.target = std::move(*target);
  auto filter = arguments.filter.finish();
  if (!filter) return filter.error();
  options.filter = std::move(*filter);
  auto thinning = arguments.thinning.finish();
  if (!thinning) return thinning.error();
  options.thinning = *thinning;
  if (!arguments.duration.empty()) {
    auto duration = parse_duration(arguments.duration, BareNumber::kSeconds);
    if (!duration) return about("-d", duration.error());
    options.duration_ns = *duration;
  }
  if (!arguments.max_lost.empty()) {
    auto limit = parse_loss_limit(arguments.max_lost);
    if (!limit) return about("--max-lost", limit.error());
    options.max_lost = *limit;
  }
  options.copies = arguments.copies == "fexit"     ? CopyHooks::kFexit
                   : arguments.copies == "kprobe"  ? CopyHooks::kKprobe
                   : arguments.copies == "derived" ? CopyHooks::kNone
                                                   : CopyHooks::kAuto;
  options.stdio = arguments.stdio;
  if (Status light = finish_light(arguments, options); !light) return light.error();
  if (Status ring = finish_ring(arguments.ring, options); !ring) return ring.error();
  auto memory = parse_max_mem(arguments.max_mem);
  if (!memory) return memory.error();
  options.max_memory = *memory;
  if (Status outputs = finish_outputs(arguments, options); !outputs) return outputs.error();
  return Invocation(std::move(options));
}

}  // namespace

Finish declare_record(CLI::App& app) {
  const auto arguments = std::make_shared<Arguments>();
  describe(app, "record every I/O request of a target",
           "[TARGET] [FILTER] [-d DUR] [-o FILE|-] [--raw FILE] [-- CMD ARG...]",
           R"help(Examples:
  iohops record -p 4242 -d 10s                    into trace.jsonl
  iohops record -p "$(pgrep -d, postgres)" -f     all of them and their children, until Ctrl-C
  iohops record -o cp.json -- cp big copy         one JSON document; ends with the command
  iohops record -a --op fsync --min-latency 1ms -o - | jq .duration_ns

The suffix of FILE picks the form: .jsonl JSON Lines, .json one document, .zst behind it
compressed. The target is never stopped or slowed to a halt; a command that is still running
when the recording ends goes on.)help");
  arguments->target.declare(app);
  add_value(app, "-d,--duration", arguments->duration, "stop after this long: 10s, 500ms, 5m",
            {"DUR", "DUR"});
  add_value(app, "-o,--output", arguments->output,
            "write JSON there, - is stdout (trace.jsonl, unless --raw is given)",
            {"FILE|-", "FILE"});
  add_value(app, "--raw", arguments->raw, "keep the raw records there, for iohops replay",
            {"FILE", "FILE"});
  add_flag(app, "--redact", arguments->redact,
           "names of files, processes and arguments become hashes, to share");
  add_value(app, "--max-lost", arguments->max_lost, "exit with 7 if more was lost: 0, 1000, 0.1%",
            {"N|N%", "LIMIT"});
  add_value(app, "--ring", arguments->ring, "size of each CPU's ring buffer, if records are lost",
            {"SIZE", "SIZE"});
  add_value(app, "--max-mem", arguments->max_mem,
            "memory to take at most; what goes beyond is counted as lost (512M)", {"SIZE", "SIZE"});
  add_choice(app, "--copies", arguments->copies, "how to know CPU copies: hooks, or derive them",
             {"auto", "fexit", "kprobe", "derived"});
  add_flag(app, "--stdio", arguments->stdio,
           "count the copies of the C library's streams, too (1.5 us a call)");
  add_flag(app, "--light", arguments->light,
           "page faults and device work only: no system call is traced");
  arguments->thinning.declare(app);
  arguments->filter.declare(app, true);
  arguments->common.declare(app);
  return [arguments](const Surroundings& surroundings) { return finish(*arguments, surroundings); };
}

}  // namespace iohops
