// What a person asked for on the command line: one passive struct per subcommand, checked and with
// its defaults filled in. Sees no parser: the declare_* functions fill them, the run_* functions
// use them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/memory.hpp"
#include "core/copies.hpp"
#include "core/filter.hpp"
#include "core/result.hpp"
#include "core/thinning.hpp"

namespace iohops {

enum class ColorChoice : uint8_t { kAuto, kAlways, kNever };

struct CommonOptions {
  bool quiet = false;  // errors and warnings only
  int verbosity = 0;   // how often -v was given
  ColorChoice color = ColorChoice::kAuto;
  // What was asked for; unset: as the terminal wants it.
  std::optional<bool> colored() const {
    return color == ColorChoice::kAuto ? std::nullopt : std::optional(color == ColorChoice::kAlways);
  }
  std::vector<std::string> command_line;  // argv, for the header
};

// Exactly one of pids, command and all is given.
struct TargetOptions {
  std::vector<uint32_t> pids;
  std::vector<std::string> command;
  bool all = false;
  bool follow = false;  // children too; already true for a command

  std::string scope() const { return all ? "all" : command.empty() ? "pid" : "command"; }
};

// What a recording may lose before it counts as failed (exit 7). Unset: any loss is reported only.
struct LossLimit {
  std::optional<uint64_t> records;
  std::optional<double> percent;  // of all records, 0..100

  // `delivered` and `lost` count records.
  bool exceeded_by(uint64_t lost, uint64_t delivered) const {
    if (records && lost > *records) return true;
    const double all = static_cast<double>(lost) + static_cast<double>(delivered);
    return percent && lost > 0 && 100.0 * static_cast<double>(lost) > *percent * all;
  }
};

struct RecordOptions {
  CommonOptions common;
  TargetOptions target;
  Filter filter;
  std::optional<uint64_t> duration_ns;
  std::string output;  // path, "-" or empty (only with `raw`): no JSON
  std::string raw;     // path of the raw recording, empty: none is kept
  bool redact = false;  // names become hashes; not with `raw`
  Thinning thinning;    // not with `raw`
  LossLimit max_lost;
  CopyHooks copies = CopyHooks::kAuto;
  bool stdio = false;  // watch the C library's streams
  bool light = false;  // leave system calls alone
  std::optional<uint64_t> ring_bytes;  // of one ring, a power of two; unset: the default
  uint64_t max_memory = kDefaultMemory;
};

struct TopOptions {
  CommonOptions common;
  TargetOptions target;
  Filter filter;
  uint64_t interval_ns = 1'000'000'000;
  std::optional<uint32_t> count;  // iterations, unset: until stopped
  bool batch = false;             // plain rows; also when stdout is no terminal
  std::string sort;               // column name, empty: the default
};

enum class ReportFormat : uint8_t { kText, kJson };
enum class GroupBy : uint8_t { kFile, kProcess, kThread, kDevice, kOp };

struct ReportOptions {
  CommonOptions common;
  std::string input;         // path or "-"
  std::string output = "-";  // path or "-"
  ReportFormat format = ReportFormat::kText;
  uint32_t top_n = 10;
  GroupBy group_by = GroupBy::kFile;
};

struct ExplainRequestOptions {
  CommonOptions common;
  std::string input;                  // a path: it is read twice
  std::vector<std::string> requests;  // "PID.NUMBER", checked; empty: the slowest
  uint32_t slowest = 1;
};

struct DiffRunOptions {
  CommonOptions common;
  std::string before, after;  // paths; one of them may be "-"
  bool json = false;
};

struct ReplayOptions {
  CommonOptions common;
  Filter filter;
  std::string input;  // raw recording
  std::string output;
  uint64_t max_memory = kDefaultMemory;
  bool redact = false;  // names become hashes
  Thinning thinning;
};

struct DoctorOptions {
  CommonOptions common;
  bool json = false;
  bool hooks = false;  // list every hook
};

struct LabOptions {
  CommonOptions common;
  std::vector<std::string> paths;  // names of core/lab/paths
  std::string directory;           // where the programs put their files
  bool proofs = false;             // put advice to the test instead
  bool json = false;
  bool list = false;
};

struct SchemaOptions {};

enum class Shell : uint8_t { kBash, kZsh, kFish };

struct CompletionOptions {
  Shell shell = Shell::kBash;
};

// Text that was asked for and nothing else: --help, --version.
struct PrintOptions {
  std::string text;
};

// Each returns the process's exit code, or the error whose kind is that code.
Result<int> run_record(const RecordOptions&);  // cli/record_run.cpp
Result<int> run_top(const TopOptions&);
Result<int> run_report(const ReportOptions&);
Result<int> run_explain(const ExplainRequestOptions&);
Result<int> run_diff(const DiffRunOptions&);
Result<int> run_replay(const ReplayOptions&);
Result<int> run_doctor(const DoctorOptions&);
Result<int> run_lab(const LabOptions&);  // cli/lab_run.cpp
Result<int> run_schema(const SchemaOptions&);
Result<int> run_completion(const CompletionOptions&);
Result<int> run_print(const PrintOptions&);

}  // namespace iohops
