// `iohops lab`: one trace over all programs; afterwards each program's requests are added up
// between the times that it says itself.
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <memory>

#include "cli/capture.hpp"
#include "cli/conversion.hpp"
#include "cli/lab_sink.hpp"
#include "cli/options.hpp"
#include "cli/run.hpp"
#include "cli/trace_header.hpp"
#include "core/lab/paths.hpp"
#include "core/lab/proofs.hpp"
#include "sinks/lab.hpp"
#include "system/devices.hpp"
#include "system/features.hpp"
#include "system/lab/runner.hpp"
#include "system/privileges.hpp"
#include "system/session.hpp"
#include "system/signals.hpp"
#include "system/spool.hpp"
#include "system/terminal.hpp"

namespace iohops {
namespace {

constexpr uint64_t kDrainLimit = 1'000'000'000;  // ns, for device work in flight at the end
constexpr size_t kSpoolMemory = size_t{8} << 20;
constexpr size_t kDefaultWidth = 120;

class Lab {
 public:
  explicit Lab(const LabOptions& options) : options_(options), names_(programs(options)) {}
  Result<int> run();

 private:
  Status load();
  Status run_programs();
  Status drain();
  Status rebuild_into(Sink& sink);
  std::vector<LabRow> judge_all(const LabSink& sink) const;
  std::vector<ProofRow> judge_proofs(const LabSink& sink) const;
  LabConditions conditions() const;
  static std::vector<std::string> programs(const LabOptions& options);
  // Prints; whether all is as it should be.
  Result<bool> tell(const LabSink& sink) const;

  const LabOptions& options_;
  const std::vector<std::string> names_;
  std::optional<lab::Runner> runner_;
  std::optional<SignalFd> signals_;
  Plan plan_;
  std::vector<BlockDevice> devices_;
  Header header_;
  std::unique_ptr<Session> session_;
  std::unique_ptr<Spool> spool_;
  std::unique_ptr<Capture> capture_;
  std::vector<lab::Outcome> outcomes_;
  uint64_t start_ns_ = 0;
  bool interrupted_ = false;
};

Status Lab::load() {
  const RaisedPrivileges raised;
  Result<Features> features = read_features(CopyHooks::kAuto);
  if (!features) return features.error();
  plan_ = make_plan(*features);
  SessionOptions session;
  session.pids = {runner_->pid()};
  session.follow = true;
  session.devices = devices_ = list_block_devices();
  Result<std::unique_ptr<Session>> loaded = Session::load(session, plan_);
  if (!loaded) return loaded.error();
  session_ = std::move(*loaded);
  return session_->attach(plan_);
}

Status Lab::run_programs() {
  const bool progress = !options_.common.quiet && isatty(STDERR_FILENO);
  runner_->release();
  while (outcomes_.size() < names_.size()) {
    Result<int> pause = capture_->round();
    if (!pause) return pause.error();
    pollfd fds[] = {{signals_->fd(), POLLIN, 0}, {runner_->fd(), POLLIN, 0}};
    poll(fds, std::size(fds), *pause);
    while (signals_->next()) interrupted_ = true;
    if (interrupted_) return {};
    if (fds[1].revents == 0) continue;
    const std::optional<lab::Outcome> outcome = runner_->take();
    if (!outcome)
      return Error{ErrorKind::kRuntime, "lab: the process that runs the programs has ended early"};
    outcomes_.push_back(*outcome);
    if (progress) fmt::print(stderr, "\r  {} of {} paths\x1b[K", outcomes_.size(), names_.size());
  }
  if (progress) fmt::print(stderr, "\r\x1b[K");
  return {};
}

Status Lab::drain() {
  session_->disarm();
  const uint64_t limit = monotonic_ns() + kDrainLimit;
  while (session_->bios_in_flight() > 0 && monotonic_ns() < limit) {
    Result<int> pause = capture_->round();
    if (!pause) return pause.error();
    poll(nullptr, 0, 1);
  }
  session_->detach();
  session_->close_leftovers();
  return capture_->finish(WIRE_STOP_TARGET_EXIT, session_->bios_in_flight());
}

LabConditions Lab::conditions() const {
  struct stat facts {};
  stat(options_.directory.c_str(), &facts);
  const uint32_t dev = major(facts.st_dev) << 20 | minor(facts.st_dev);
  LabConditions conditions;
  conditions.dma =
      std::any_of(header_.devices.begin(), header_.devices.end(),
                  [&](const Device& device) { return device.id == dev && device.dma; });
  conditions.faults = plan_.enabled("fault_filemap");
  conditions.uring = plan_.enabled("uring_submit") || plan_.enabled("uring_submit_sqe");
  return conditions;
}

Status Lab::rebuild_into(Sink& sink) {
  Rebuilder rebuilder(rebuild_context(header_, start_ns_), sink);
  Spool::Chunk chunk;
  for (;;) {
    auto taken = spool_->take(std::move(chunk), std::chrono::milliseconds(0));
    if (!taken) return taken.error();
    if (!*taken) return rebuilder.finish(false);
    chunk = std::move(**taken);
    Record rest = std::as_bytes(std::span(chunk));
    while (!rest.empty()) {
      Result<Record> record = next_record(rest);
      if (!record) return record.error();
      if (Status fed = rebuilder.feed(*record); !fed) return fed;
    }
  }
}

std::vector<LabRow> Lab::judge_all(const LabSink& sink) const {
  const LabConditions here = conditions();
  std::vector<LabRow> rows;
  for (size_t i = 0; i < outcomes_.size(); ++i) {
    LabRow row;
    row.path = find_lab_path(names_[i]);
    row.figures = sink.figures(i);
    row.said = outcomes_[i].said;
    row.skipped = outcomes_[i].skipped;
    if (outcomes_[i].failed[0] != '\0')
      row.verdict = {false, std::string("the program failed: ") + outcomes_[i].failed};
    else if (row.skipped.empty())
      row.verdict = judge(*row.path, row.figures, here);
    rows.push_back(std::move(row));
  }
  return rows;
}

// Each proof is two programs, one after the other.
std::vector<ProofRow> Lab::judge_proofs(const LabSink& sink) const {
  std::vector<ProofRow> rows;
  for (size_t i = 0; i < lab_proofs().size(); ++i) {
    const size_t before = 2 * i, after = before + 1;
    rows.push_back(
        judge(lab_proofs()[i], sink.advice(before), sink.figures(before), sink.figures(after)));
    for (const size_t program : {before, after}) {
      const lab::Outcome& outcome = outcomes_[program];
      const char* trouble = outcome.failed[0] != '\0' ? outcome.failed : outcome.skipped;
      if (*trouble == '\0') continue;
      rows.back().came_true = false;
      rows.back().why = names_[program] + ": " + trouble;
    }
  }
  return rows;
}

std::vector<std::string> Lab::programs(const LabOptions& options) {
  if (!options.proofs) return options.paths;
  std::vector<std::string> names;
  for (const LabProof& proof : lab_proofs())
    for (const std::string_view name : {proof.before, proof.after}) names.emplace_back(name);
  return names;
}

Result<bool> Lab::tell(const LabSink& sink) const {
  const size_t width = terminal_columns(STDOUT_FILENO).value_or(kDefaultWidth);
  const bool color = use_color(options_.common.colored(), STDOUT_FILENO);
  std::string text;
  bool fine = false;
  if (options_.proofs) {
    const std::vector<ProofRow> rows = judge_proofs(sink);
    text = options_.json ? proofs_json(rows, sink.lost()) : proofs_table(rows, color, width);
    fine = std::all_of(rows.begin(), rows.end(), [](const ProofRow& row) { return row.came_true; });
  } else {
    const std::vector<LabRow> rows = judge_all(sink);
    text = options_.json ? lab_json(rows, sink.lost()) : lab_table(rows, color, width);
    fine =
        std::all_of(rows.begin(), rows.end(), [](const LabRow& row) { return row.verdict.agrees; });
  }
  if (const Result<int> printed = print(text); !printed) return printed.error();
  for (const auto& [cause, count] : sink.lost())
    if (!options_.common.quiet)
      fmt::print(stderr, "iohops: {} records were lost ({}): figures may be too low\n", count,
                 cause);
  return fine;
}

Result<int> Lab::run() {
  if (Status allowed = check_privileges(); !allowed) return allowed.error();
  if (access(options_.directory.c_str(), W_OK | X_OK) != 0)
    return Error{ErrorKind::kUsage, fmt::format("lab: cannot put files into {}: {} (--dir names "
                                                "another folder)",
                                                options_.directory, std::strerror(errno))};
  Result<lab::Runner> runner = lab::Runner::fork_held(names_, options_.directory);
  if (!runner) return runner.error();
  runner_.emplace(std::move(*runner));
  if (Status loaded = load(); !loaded) return loaded.error();
  Result<SignalFd> signals = SignalFd::open({SIGINT, SIGTERM, SIGHUP, SIGQUIT});
  if (!signals) return signals.error();
  signals_.emplace(std::move(*signals));
  header_ = trace_header(options_.common.command_line, "command", {{runner_->pid(), "iohops-lab"}},
                         plan_, devices_);
  spool_ = std::make_unique<Spool>(kSpoolMemory, kSpoolMemory, "/var/tmp");
  spool_->open_file(0);
  auto maps_answer = [this] { return session_->maps_answer(); };
  if (Status given = give_up_privileges(maps_answer); !given) return given.error();
  capture_ = std::make_unique<Capture>(*session_, *spool_, EarlyFilter{});
  start_ns_ = session_->arm();
  capture_->start(start_ns_);
  if (Status ran = run_programs(); !ran) return ran.error();
  if (interrupted_) return 130;
  if (Status drained = drain(); !drained) return drained.error();
  LabSink sink(outcomes_, start_ns_);
  if (Status rebuilt = rebuild_into(sink); !rebuilt) return rebuilt.error();
  const Result<bool> fine = tell(sink);
  if (!fine) return fine.error();
  return *fine ? 0 : 1;
}

}  // namespace

Result<int> run_lab(const LabOptions& options) {
  if (options.list) return print(lab_list());
  return Lab(options).run();
}

}  // namespace iohops
