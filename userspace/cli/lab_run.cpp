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
#include <map>
#include <memory>

#include "cli/capture.hpp"
#include "cli/conversion.hpp"
#include "cli/options.hpp"
#include "cli/run.hpp"
#include "cli/trace_header.hpp"
#include "core/lab/paths.hpp"
#include "sinks/lab.hpp"
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

// Adds up the requests of each program's process between its begin and its end.
class LabSink : public Sink {
 public:
  LabSink(const std::vector<lab::Outcome>& outcomes, uint64_t start_ns) {
    for (const lab::Outcome& outcome : outcomes) {
      // One that failed half-way has no end.
      const uint64_t end = std::max(outcome.end_ns, outcome.begin_ns);
      Window window{outcome.pid, outcome.begin_ns - start_ns, end - start_ns, {}};
      window.figures.bytes = outcome.bytes;
      window.figures.rounds = outcome.rounds;
      window.figures.duration_ns = end - outcome.begin_ns;
      windows_.push_back(window);
    }
  }

  Status request(const Request& request) override {
    for (Window& window : windows_) {
      if (window.pid != request.id.pid || request.start_ns < window.begin ||
          request.start_ns > window.end)
        continue;
      LabFigures& f = window.figures;
      f.requests++;
      f.cpu_copy_bytes += request.cpu_copy_bytes;
      f.dma_bytes += request.dma_bytes;
      f.mode_switches += request.mode_switches;
      f.complete = f.complete && request.complete;
      break;
    }
    return {};
  }

  Status loss(const Loss& loss) override {
    lost_[std::string(loss.cause)] += loss.count;
    return {};
  }

  const std::map<std::string, uint64_t>& lost() const { return lost_; }
  const LabFigures& figures(size_t program) const { return windows_[program].figures; }

 private:
  struct Window {
    uint32_t pid;
    uint64_t begin, end;  // ns since the start of the trace
    LabFigures figures;
  };
  std::vector<Window> windows_;
  std::map<std::string, uint64_t> lost_;  // by cause
};

class Lab {
 public:
  explicit Lab(const LabOptions& options) : options_(options) {}
  Result<int> run();

 private:
  Status load();
  Status run_programs();
  Status drain();
  Result<std::vector<LabRow>> judge_all();
  LabConditions conditions() const;

  const LabOptions& options_;
  std::optional<lab::Runner> runner_;
  std::optional<SignalFd> signals_;
  Plan plan_;
  Header header_;
  std::unique_ptr<Session> session_;
  std::unique_ptr<Spool> spool_;
  std::unique_ptr<Capture> capture_;
  std::vector<lab::Outcome> outcomes_;
  std::map<std::string, uint64_t> lost_;  // records, by cause
  uint64_t start_ns_ = 0;
  bool interrupted_ = false;
};

Status Lab::load() {
  Result<Features> features = read_features(CopyHooks::kAuto);
  if (!features) return features.error();
  plan_ = make_plan(*features);
  SessionOptions session;
  session.pids = {runner_->pid()};
  session.follow = true;
  Result<std::unique_ptr<Session>> loaded = Session::load(session, plan_);
  if (!loaded) return loaded.error();
  session_ = std::move(*loaded);
  return session_->attach(plan_);
}

Status Lab::run_programs() {
  const bool progress = !options_.common.quiet && isatty(STDERR_FILENO);
  runner_->release();
  while (outcomes_.size() < options_.paths.size()) {
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
    if (progress)
      fmt::print(stderr, "\r  {} of {} paths\x1b[K", outcomes_.size(), options_.paths.size());
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

Result<std::vector<LabRow>> Lab::judge_all() {
  LabSink sink(outcomes_, start_ns_);
  Rebuilder rebuilder(rebuild_context(header_, start_ns_), sink);
  Spool::Chunk chunk;
  for (;;) {
    auto taken = spool_->take(std::move(chunk), std::chrono::milliseconds(0));
    if (!taken) return taken.error();
    if (!*taken) break;
    chunk = std::move(**taken);
    Record rest = std::as_bytes(std::span(chunk));
    while (!rest.empty()) {
      Result<Record> record = next_record(rest);
      if (!record) return record.error();
      if (Status fed = rebuilder.feed(*record); !fed) return fed.error();
    }
  }
  if (Status done = rebuilder.finish(false); !done) return done.error();
  lost_ = sink.lost();
  const LabConditions here = conditions();
  std::vector<LabRow> rows;
  for (size_t i = 0; i < outcomes_.size(); ++i) {
    LabRow row;
    row.path = find_lab_path(options_.paths[i]);
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

Result<int> Lab::run() {
  if (Status allowed = check_privileges(); !allowed) return allowed.error();
  if (access(options_.directory.c_str(), W_OK | X_OK) != 0)
    return Error{ErrorKind::kUsage, fmt::format("lab: cannot put files into {}: {} (--dir names "
                                                "another folder)",
                                                options_.directory, std::strerror(errno))};
  Result<lab::Runner> runner = lab::Runner::fork_held(options_.paths, options_.directory);
  if (!runner) return runner.error();
  runner_.emplace(std::move(*runner));
  if (Status loaded = load(); !loaded) return loaded.error();
  Result<SignalFd> signals = SignalFd::open({SIGINT, SIGTERM, SIGHUP, SIGQUIT});
  if (!signals) return signals.error();
  signals_.emplace(std::move(*signals));
  header_ = trace_header(options_.common.command_line, "command", {{runner_->pid(), "iohops-lab"}},
                         plan_);
  spool_ = std::make_unique<Spool>(kSpoolMemory, "/var/tmp");
  capture_ = std::make_unique<Capture>(*session_, *spool_, EarlyFilter{});
  start_ns_ = session_->arm();
  capture_->start(start_ns_);
  if (Status ran = run_programs(); !ran) return ran.error();
  if (interrupted_) return 130;
  if (Status drained = drain(); !drained) return drained.error();
  Result<std::vector<LabRow>> rows = judge_all();
  if (!rows) return rows.error();
  const size_t width = terminal_columns(STDOUT_FILENO).value_or(kDefaultWidth);
  const Result<int> printed = print(
      options_.json ? lab_json(*rows, lost_) : lab_table(*rows, use_color(options_.common.colored(), STDOUT_FILENO), width));
  if (!printed) return printed.error();
  for (const auto& [cause, count] : lost_)
    if (!options_.common.quiet)
      fmt::print(stderr, "iohops: {} records were lost ({}): figures may be too low\n", count, cause);
  return std::all_of(rows->begin(), rows->end(),
                     [](const LabRow& row) { return row.verdict.agrees; })
             ? 0
             : 1;
}

}  // namespace

Result<int> run_lab(const LabOptions& options) {
  if (options.list) return print(lab_list());
  return Lab(options).run();
}

}  // namespace iohops
