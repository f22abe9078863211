#include "cli/run.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string_view>

#include "cli/parse.hpp"
#include "sinks/text.hpp"
#include "system/devices.hpp"
#include "system/host.hpp"
#include "system/output_file.hpp"
#include "system/privileges.hpp"
#include "system/process.hpp"

namespace iohops {
namespace {

// Names in a message may come from elsewhere; its own line breaks stay.
std::string printable(std::string_view message) {
  std::string lines;
  while (!message.empty()) {
    const std::string_view line = message.substr(0, message.find('\n'));
    if (!lines.empty()) lines += '\n';
    // A backslash is doubled by escape(): undone, as nobody parses this.
    std::string escaped = text::escape(line);
    for (size_t at = 0; (at = escaped.find("\\\\", at)) != std::string::npos; ++at)
      escaped.erase(at, 1);
    lines += escaped;
    message.remove_prefix(std::min(line.size() + 1, message.size()));
  }
  return lines;
}

Error no_such_device(const std::string& wanted, const std::string& names) {
  return {ErrorKind::kUsage, "--dev: no block device '" + wanted + "' here; there are " + names};
}

// A filter by a device that does not exist would silently keep nothing.
Status check_devices(const Filter& filter) {
  if (filter.devices.empty()) return {};
  const std::vector<BlockDevice> devices = list_block_devices();
  for (const std::string& wanted : filter.devices) {
    if (wanted.find(':') != std::string::npos) continue;  // a number: of any device, also not block
    std::string names;
    const bool known = std::any_of(devices.begin(), devices.end(), [&](const BlockDevice& block) {
      if (!names.empty()) names += ", ";
      names += block.device.name;
      return block.device.name == wanted;
    });
    if (!known) return no_such_device(wanted, names);
  }
  return {};
}

// The kernel compares its own process numbers; in another PID namespace ours are others.
Status check_namespace(const TargetOptions& target) {
  if (target.all || read_host().root_pid_namespace) return {};
  return Error{ErrorKind::kNoTarget,
               "cannot trace by process here: iohops runs in a PID namespace of its own, whose "
               "process numbers mean nothing to the kernel's tracepoints. Run it on the host, or "
               "start the container with --pid=host; -a works here too"};
}

Status check_before(const TargetOptions& target, const Filter& filter) {
  if (Status devices = check_devices(filter); !devices) return devices;
  return check_namespace(target);
}

// What can be known to fail before anything is opened or loaded.
template <typename Options>
Result<int> run_traced(const Options& options, Result<int> (*run)(const Options&)) {
  if (Status fine = check_before(options.target, options.filter); !fine) return fine.error();
  if (!options.target.command.empty()) {
    if (const StartFailure failure = find_command(options.target.command.front())) {
      tell(failure.message);
      return failure.exit_code;
    }
  }
  return run(options);
}

struct Run {
  Result<int> operator()(const PrintOptions& options) const { return run_print(options); }
  Result<int> operator()(const RecordOptions& options) const {
    return run_traced(options, run_record);
  }
  Result<int> operator()(const TopOptions& options) const { return run_traced(options, run_top); }
  Result<int> operator()(const ReportOptions& options) const { return run_report(options); }
  Result<int> operator()(const ExplainRequestOptions& options) const {
    return run_explain(options);
  }
  Result<int> operator()(const DiffRunOptions& options) const { return run_diff(options); }
  Result<int> operator()(const ReplayOptions& options) const { return run_replay(options); }
  Result<int> operator()(const DoctorOptions& options) const { return run_doctor(options); }
  Result<int> operator()(const LabOptions& options) const { return run_lab(options); }
  Result<int> operator()(const SchemaOptions& options) const { return run_schema(options); }
  Result<int> operator()(const CompletionOptions& options) const { return run_completion(options); }
};

}  // namespace

void tell(std::string_view message) { fmt::print(stderr, "iohops: {}\n", printable(message)); }

Result<int> print(std::string_view text) {
  Result<std::unique_ptr<ByteWriter>> out = open_output("-");
  if (!out) return out.error();
  if (Status written = (*out)->write(text); !written) return written.error();
  if (Status closed = (*out)->close(); !closed) return closed.error();
  return 0;
}

Result<int> run_print(const PrintOptions& options) { return print(options.text); }

int run_command_line(const std::vector<std::string>& argv) {
  lower_privileges();
  Parser parser;
  Result<Invocation> invocation = parser.parse(argv);
  const Result<int> outcome =
      invocation ? std::visit(Run{}, *invocation) : Result<int>(invocation.error());
  if (outcome) return *outcome;
  const Error& error = outcome.error();
  // An output whose reader has gone has nothing to say.
  if (!error.message.empty()) tell(error.message);
  return error.exit_code();
}

}  // namespace iohops
