// `iohops record`: attach, capture until told to stop or the target is gone, drain, summarise.
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "cli/capture.hpp"
#include "cli/conversion.hpp"
#include "cli/converter.hpp"
#include "cli/options.hpp"
#include "cli/record_words.hpp"
#include "cli/run.hpp"
#include "cli/streams.hpp"
#include "cli/trace_header.hpp"
#include "core/form.hpp"
#include "core/raw.hpp"
#include "sinks/json_header.hpp"
#include "sinks/text.hpp"
#include "system/devices.hpp"
#include "system/features.hpp"
#include "system/output_file.hpp"
#include "system/privileges.hpp"
#include "system/process.hpp"
#include "system/session.hpp"
#include "system/signals.hpp"
#include "system/spool.hpp"

namespace iohops {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;
constexpr uint64_t kDrainLimit = kSecond;  // for device work in flight when the trace stops
constexpr size_t kSpoolMemory = size_t{8} << 20;

// Everything a recording owns, in the order in which it must go away (the last first).
class Recording {
 public:
  explicit Recording(const RecordOptions& options) : options_(options), words_(options) {}
  Result<int> run();

 private:
  Status open_targets();
  Status open_outputs();
  Status load();
  Status begin();
  Status capture();
  Status drain();
  Result<int> end();
  Error end_early(Error why);
  Status close_outputs();
  void heed_the_impatient();
  bool should_stop(uint64_t now);
  int wait(int timeout_ms);

  const RecordOptions& options_;
  RecordWords words_;
  std::vector<TargetProcess> targets_;
  std::optional<Child> child_;
  std::optional<SignalFd> signals_;
  Plan plan_;
  EarlyFilter filter_;
  std::vector<BlockDevice> devices_;
  Header header_;
  std::unique_ptr<ByteWriter> json_file_, raw_file_;
  std::unique_ptr<JsonWriter> json_;
  std::unique_ptr<RawWriter> raw_;
  std::unique_ptr<Session> session_;
  std::unique_ptr<Spool> spool_;
  std::unique_ptr<Conversion> conversion_;
  std::unique_ptr<Converter> converter_;
  std::unique_ptr<Capture> capture_;
  std::optional<int> child_status_;
  uint64_t start_ns_ = 0;
  size_t ended_ = 0;  // targets
  bool interrupted_ = false;
  wire_stop reason_ = WIRE_STOP_USER;
};

Status Recording::open_targets() {
  if (!options_.target.command.empty()) {
    Result<Child> child = Child::spawn_held(options_.target.command);
    if (!child) return child.error();
    child_.emplace(std::move(*child));
    return {};
  }
  const RaisedPrivileges raised;
  for (uint32_t pid : options_.target.pids) {
    Result<TargetProcess> target = open_target(pid);
    if (!target) return target.error();
    targets_.push_back(std::move(*target));
  }
  return {};
}

Status Recording::open_outputs() {
  if (!options_.output.empty()) {
    Result<Form> form = form_of(options_.output);
    if (!form) return form.error();
    Result<std::unique_ptr<ByteWriter>> file = open_output(options_.output);
    if (!file) return file.error();
    json_file_ = std::move(*file);
    json_ = std::make_unique<JsonWriter>(*json_file_, *form);
  }
  if (!options_.raw.empty()) {
    Result<std::unique_ptr<ByteWriter>> file = open_output(options_.raw);
    if (!file) return file.error();
    raw_file_ = std::move(*file);
    raw_ = std::make_unique<RawWriter>(*raw_file_);
  }
  return {};
}

std::vector<std::pair<uint32_t, uint64_t>> own_files(const RecordOptions& options) {
  std::vector<std::pair<uint32_t, uint64_t>> files;
  for (const std::string& path : {options.output, options.raw}) {
    struct stat facts {};
    if (path.empty() || (path == "-" ? fstat(STDOUT_FILENO, &facts) : stat(path.c_str(), &facts)))
      continue;
    const uint32_t dev = major(facts.st_dev) << 20 | minor(facts.st_dev);
    files.emplace_back(dev, facts.st_ino);
  }
  return files;
}

Status Recording::load() {
  const RaisedPrivileges raised;
  Result<Features> features = read_features(options_.copies);
  if (!features) return features.error();
  plan_ = make_plan(*features, options_.light ? Depth::kBelow : Depth::kRequests);
  if (options_.copies == CopyHooks::kNone) plan_.leave_copies_out("");
  if (options_.stdio) plan_.take_streams();
  SessionOptions session;
  session.all = options_.target.all;
  session.follow = options_.target.follow;
  session.ring_bytes = options_.ring_bytes;
  session.own_files = own_files(options_);
  session.devices = devices_ = list_block_devices();
  session.filter = filter_ = early_filter(options_.filter, model_devices(devices_));
  for (const TargetProcess& target : targets_) session.pids.push_back(target.pid);
  if (child_) session.pids.push_back(child_->pid());
  session.from_exec = child_.has_value();
  if (options_.stdio) {
    auto libraries = stream_libraries(targets_);
    if (!libraries) return libraries.error();
    session.libraries = std::move(*libraries);
  }
  Result<std::unique_ptr<Session>> loaded = Session::load(session, plan_);
  if (!loaded) return loaded.error();
  session_ = std::move(*loaded);
  if (Status attached = session_->attach(plan_); !attached) return attached;
  if (options_.stdio && !plan_.watches_streams()) return no_streams(plan_);
  const bool demanded =
      options_.copies == CopyHooks::kFexit || options_.copies == CopyHooks::kKprobe;
  if (demanded && !plan_.measured.any())
    return Error{ErrorKind::kKernel,
                 "--copies: CPU copies cannot be measured so: " + plan_.why_not_measured() +
                     " (--copies auto takes the best there is)"};
  return {};
}

std::vector<Target> named(const std::vector<TargetProcess>& processes, const Child* child,
                          const std::vector<std::string>& command) {
  std::vector<Target> targets;
  targets.reserve(processes.size() + 1);
  for (const TargetProcess& process : processes) targets.push_back({process.pid, process.comm});
  if (child) {
    const std::string& program = command.front();
    targets.push_back({child->pid(), program.substr(program.rfind('/') + 1)});
  }
  return targets;
}

// From here on records come: the outputs get their beginning first.
Status Recording::begin() {
  header_ =
      trace_header(options_.common.command_line, options_.target.scope(),
                   named(targets_, child_ ? &*child_ : nullptr, options_.target.command), plan_, devices_);
  const char* directory = std::getenv("TMPDIR");
  const MemoryShares shares = share_memory(options_.max_memory, true, !options_.filter.empty());
  const int nice = take_precedence();
  spool_ = std::make_unique<Spool>(kSpoolMemory, shares.spool_bytes, directory ? directory : "/var/tmp");
  spool_->open_file(nice);
  auto maps_answer = [this] { return session_->maps_answer(); };
  if (Status given = give_up_privileges(maps_answer); !given) return given;
  capture_ = std::make_unique<Capture>(*session_, *spool_, filter_, shares.order_bytes);
  start_ns_ = session_->arm();
  for (const TargetProcess& target : targets_)
    if (has_ended(target)) session_->drop_target(target.pid);
  capture_->start(start_ns_);
  Result<std::optional<RedactionKey>> redaction = new_redaction_key(options_.redact);
  if (!redaction) return redaction.error();
  conversion_ = std::make_unique<Conversion>(header_, start_ns_, options_.filter, json_.get(), shares, *redaction,
                                             options_.thinning);
  if (raw_) {
    if (Status begun = raw_->begin(header_json(header_), start_ns_); !begun) return begun;
  }
  if (Status begun = conversion_->begin(); !begun) return begun;
  converter_ = std::make_unique<Converter>(*spool_, *conversion_, raw_.get(), json_.get());
  converter_->start(nice);
  return {};
}

// Signals and ends of targets; returns early when one comes.
int Recording::wait(int timeout_ms) {
  std::vector<pollfd> fds{{signals_->fd(), POLLIN, 0}};
  if (child_ && !child_status_) fds.push_back({child_->pidfd(), POLLIN, 0});
  for (const TargetProcess& target : targets_) {
    if (target.pidfd) fds.push_back({target.pidfd.get(), POLLIN, 0});
  }
  const int ready = poll(fds.data(), fds.size(), timeout_ms);
  if (ready <= 0) return ready;
  while (signals_->next()) interrupted_ = true;
  size_t at = 1;
  if (child_ && !child_status_ && fds[at++].revents) {
    const Result<int> status = child_->wait();
    child_status_ = status ? *status : 0;
  }
  for (TargetProcess& target : targets_) {
    if (target.pidfd && fds[at++].revents) {
      target.pidfd.reset();
      ended_++;
    }
  }
  return ready;
}

bool Recording::should_stop(uint64_t now) {
  if (interrupted_ || converter_->failed()) return true;
  if (options_.duration_ns && now - start_ns_ >= *options_.duration_ns) {
    reason_ = WIRE_STOP_DURATION;
    return true;
  }
  reason_ = WIRE_STOP_TARGET_EXIT;
  if (child_) return child_status_.has_value();
  // With -f the children of a target that has ended are still traced.
  if (!targets_.empty() && ended_ == targets_.size())
    return !options_.target.follow || !session_->targets_left();
  reason_ = WIRE_STOP_USER;
  return false;
}

Status Recording::capture() {
  for (;;) {
    const uint64_t now = monotonic_ns();
    if (should_stop(now)) return {};
    Result<int> pause = capture_->round();
    if (!pause) return pause.error();
    words_.progress(now - start_ns_, converter_->requests(), *capture_, *spool_);
    int timeout = *pause;
    if (options_.duration_ns) {
      const uint64_t left =
          start_ns_ + *options_.duration_ns - std::min(now, start_ns_ + *options_.duration_ns);
      timeout = static_cast<int>(
          std::min<uint64_t>(static_cast<uint64_t>(timeout), left / 1'000'000 + 1));
    }
    wait(timeout);
  }
}

// Device work that requests of the trace started is waited for, for a bounded time.
Status Recording::drain() {
  session_->disarm();
  converter_->hurry();
  const uint64_t limit = monotonic_ns() + kDrainLimit;
  while (session_->bios_in_flight() > 0 && monotonic_ns() < limit) {
    Result<int> pause = capture_->round();
    if (!pause) return pause.error();
    wait(1);
  }
  session_->detach();
  session_->close_leftovers();
  return capture_->finish(reason_, session_->bios_in_flight());
}

Result<int> Recording::end() {
  if (spool_->backlog_bytes() > kSpoolMemory) words_.backlog(spool_->backlog_bytes());
  heed_the_impatient();
  Result<Summary> summary = converter_->join();
  if (!summary) return summary.error();
  if (Status closed = close_outputs(); !closed) return closed.error();
  words_.end(*summary, session_->ring_bytes());
  if (options_.max_lost.exceeded_by(summary->lost_total(), capture_->records())) {
    return Error{ErrorKind::kLossy, fmt::format("{} records were lost, more than --max-lost allows",
                                                text::grouped(summary->lost_total()))};
  }
  if (child_status_ && WIFSIGNALED(*child_status_)) exit_like(*child_status_);
  return child_status_ ? shell_exit_code(*child_status_) : 0;
}

// Writing what was captured takes its time, or the reader of a pipe sleeps: who asks twice does not
// want it. SIGHUP stays out: a terminal that goes away sends it twice.
void Recording::heed_the_impatient() {
  signals_->let_through(SIGQUIT);
  while (!interrupted_ && !converter_->done()) wait(10);
  if (!interrupted_) return;
  for (const int signal : {SIGINT, SIGTERM}) signals_->let_through(signal);
}

Status Recording::close_outputs() {
  if (raw_) {
    if (Status flushed = raw_->flush(); !flushed) return flushed;
    if (Status closed = raw_file_->close(); !closed) return closed;
  }
  return json_ ? json_file_->close() : Status();
}

// The spool's disk is full. What it holds is written all the same, without a summary: cut short.
Error Recording::end_early(Error why) {
  session_->disarm();
  session_->detach();
  converter_->hurry();
  (void)spool_->close();
  heed_the_impatient();
  if (converter_->join()) (void)close_outputs();
  return why;
}

Result<int> Recording::run() {
  if (Status allowed = check_privileges(); !allowed) return allowed.error();
  if (Status opened = open_targets(); !opened) return opened.error();
  if (Status opened = open_outputs(); !opened) return opened.error();
  // Not before: opening a pipe waits for its reader. From here on an interrupted recording is a
  // whole one.
  Result<SignalFd> signals = SignalFd::open({SIGINT, SIGTERM, SIGHUP, SIGQUIT});
  if (!signals) return signals.error();
  signals_.emplace(std::move(*signals));
  if (Status loaded = load(); !loaded) return loaded.error();
  if (Status begun = begin(); !begun) return begun.error();
  words_.start(header_, targets_, plan_.missing().size());
  wait(0);
  const bool starts = child_ && !interrupted_;
  if (starts) {
    if (StartFailure failure = child_->release()) {
      tell(failure.message);
      return failure.exit_code;
    }
  }
  if (Status captured = capture(); !captured) return end_early(captured.error());
  if (Status drained = drain(); !drained) return end_early(drained.error());
  Result<int> code = end();
  if (!code || !child_ || starts) return code;
  fmt::print(stderr, "iohops: interrupted before the command was started\n");
  return 125;
}

}  // namespace

Result<int> run_record(const RecordOptions& options) { return Recording(options).run(); }

}  // namespace iohops
