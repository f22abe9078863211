// `iohops top`: attach, and once an interval turn the kernel's sums into a screen or rows.
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include "cli/options.hpp"
#include "cli/run.hpp"
#include "cli/top_names.hpp"
#include "sinks/top/batch.hpp"
#include "sinks/top/view.hpp"
#include "system/devices.hpp"
#include "system/features.hpp"
#include "system/output_file.hpp"
#include "system/privileges.hpp"
#include "system/process.hpp"
#include "system/session.hpp"
#include "system/signals.hpp"
#include "system/terminal.hpp"

namespace iohops {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::nanoseconds;

nanoseconds own_cpu() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto both = [](const timeval& t) {
    return std::chrono::seconds(t.tv_sec) + std::chrono::microseconds(t.tv_usec);
  };
  return both(usage.ru_utime) + both(usage.ru_stime);
}

std::string wall_clock() {
  const std::time_t now = std::time(nullptr);
  tm local{};
  localtime_r(&now, &local);
  char text[16];
  strftime(text, sizeof text, "%H:%M:%S", &local);
  return text;
}

class Top {
 public:
  explicit Top(const TopOptions& options) : options_(options) {}
  Result<int> run();

 private:
  Status open_targets();
  Status open_output();
  Status load();
  Result<int> loop();
  Status sample();
  Status show();
  bool wait_until(Clock::time_point end);
  bool targets_gone();
  bool batch() const { return screen_ == nullptr; }

  const TopOptions& options_;
  std::vector<TargetProcess> targets_;
  std::optional<Child> child_;
  std::optional<int> child_status_;
  std::optional<SignalFd> signals_;
  std::optional<FatalSignalGuard> guard_;  // before the screen
  std::unique_ptr<TopScreen> screen_;
  std::unique_ptr<ByteWriter> rows_;
  std::vector<Device> devices_;
  std::unique_ptr<Session> session_;
  TopModel model_;
  std::optional<TopNames> names_;
  std::vector<TopTally> tallies_;
  Clock::time_point sampled_;
  nanoseconds cpu_before_{};
  uint64_t samples_ = 0;
  bool utf8_ = true;
  bool stop_ = false;
};

Status Top::open_targets() {
  const bool interactive = !options_.batch && is_terminal(STDOUT_FILENO);
  if (!options_.target.command.empty()) {
    if (interactive)
      return Error{ErrorKind::kUsage,
                   "the command would write over the screen: use --batch, or start it elsewhere "
                   "and give its process id with -p"};
    Result<Child> child = Child::spawn_held(options_.target.command);
    if (!child) return child.error();
    child_.emplace(std::move(*child));
  }
  const RaisedPrivileges raised;
  for (uint32_t pid : options_.target.pids) {
    Result<TargetProcess> target = open_target(pid);
    if (!target) return target.error();
    targets_.push_back(std::move(*target));
  }
  return {};
}

Status Top::load() {
  const RaisedPrivileges raised;
  Result<Features> features = read_features(CopyHooks::kNone);
  if (!features) return features.error();
  Plan plan = make_plan(*features);
  SessionOptions session;
  session.all = options_.target.all;
  session.follow = options_.target.follow;
  session.tally = true;
  session.devices = list_block_devices();
  devices_ = model_devices(session.devices);
  session.filter = early_filter({.ops = options_.filter.ops}, {});  // the rest when rows are shown
  for (const TargetProcess& target : targets_) session.pids.push_back(target.pid);
  if (child_) session.pids.push_back(child_->pid());
  session.from_exec = child_.has_value();
  Result<std::unique_ptr<Session>> loaded = Session::load(session, plan);
  if (!loaded) return loaded.error();
  session_ = std::move(*loaded);
  return session_->attach(plan);
}

Status Top::open_output() {
  utf8_ = adopt_utf8_locale();
  if (options_.batch || !is_terminal(STDOUT_FILENO)) {
    Result<std::unique_ptr<ByteWriter>> rows = iohops::open_output("-");
    if (!rows) return rows.error();
    rows_ = std::move(*rows);
    return {};
  }
  guard_.emplace();
  Result<std::unique_ptr<TopScreen>> screen = TopScreen::open(
      {.color = use_color(options_.common.colored(), STDOUT_FILENO), .utf8 = utf8_});
  if (!screen) return screen.error();
  screen_ = std::move(*screen);
  return {};
}

Status Top::sample() {
  const auto now = Clock::now();
  const nanoseconds elapsed = std::max<nanoseconds>(now - sampled_, nanoseconds(1));
  const nanoseconds cpu = own_cpu();
  // Names first: a tally may be of a file that was named since the last sample.
  session_->drain([&](Record record, uint32_t) {
    names_->record(record);
    return true;
  });
  tallies_.clear();
  for (const TallyRow& row : session_->tallies())
    if (names_->passes(row.key)) tallies_.push_back({row.key, row.tally});
  const KernelCounters counters = session_->counters();
  TopSample sample;
  sample.elapsed_ns = static_cast<uint64_t>(elapsed.count());
  sample.tallies = tallies_;
  sample.lost = std::accumulate(counters.losses.begin(), counters.losses.end(), uint64_t{0});
  sample.self_cpu_percent = 100.0 * static_cast<double>((cpu - cpu_before_).count()) /
                            static_cast<double>(elapsed.count());
  sample.clock = wall_clock();
  model_.update(sample);
  sampled_ = now;
  cpu_before_ = cpu;
  ++samples_;
  return {};
}

Status Top::show() {
  if (screen_) {
    screen_->draw(model_);
    return {};
  }
  const std::string rows = batch_rows(model_, {.max_rows = 0, .utf8 = utf8_});
  if (Status written = rows_->write(samples_ > 1 ? "\n" + rows : rows); !written) return written;
  return rows_->flush();
}

bool Top::targets_gone() {
  if (child_) return child_status_.has_value();
  if (targets_.empty()) return false;
  const bool all_ended = std::none_of(targets_.begin(), targets_.end(),
                                      [](const TargetProcess& t) { return bool(t.pidfd); });
  return all_ended && !(options_.target.follow && session_->targets_left());
}

// Serves keys, signals and ends of targets. False: leave now.
bool Top::wait_until(Clock::time_point end) {
  for (;;) {
    std::vector<pollfd> fds{{signals_->fd(), POLLIN, 0}};
    fds.push_back({screen_ ? screen_->input_fd() : -1, POLLIN, 0});
    fds.push_back({child_ && !child_status_ ? child_->pidfd() : -1, POLLIN, 0});
    for (const TargetProcess& target : targets_) fds.push_back({target.pidfd.get(), POLLIN, 0});
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now());
    if (left.count() <= 0) return true;
    poll(fds.data(), fds.size(), static_cast<int>(std::min<int64_t>(left.count(), 60'000)));
    while (const auto signal = signals_->next()) {
      if (*signal != SIGWINCH) return false;
      screen_->draw(model_);
    }
    if (fds[1].revents != 0) {
      const auto interval = model_.interval();
      if (!screen_->handle_input(model_)) return false;
      screen_->draw(model_);
      if (model_.interval() != interval) end = Clock::now() + model_.interval();
    }
    if (fds[2].revents != 0) {
      const Result<int> status = child_->wait();
      child_status_ = status ? *status : 0;
    }
    for (size_t i = 0; i < targets_.size(); ++i)
      if (fds[3 + i].revents != 0) targets_[i].pidfd.reset();
    if (targets_gone()) {
      stop_ = true;  // one last sample
      return true;
    }
  }
}

Result<int> Top::loop() {
  while (!stop_ && (!options_.count || samples_ < *options_.count)) {
    if (!wait_until(sampled_ + model_.interval())) break;
    if (Status sampled = sample(); !sampled) return sampled.error();
    if (Status shown = show(); !shown) return shown.error();
  }
  session_->disarm();
  session_->detach();
  screen_.reset();
  if (!child_status_) return 0;
  if (WIFSIGNALED(*child_status_)) exit_like(*child_status_);
  return shell_exit_code(*child_status_);
}

Result<int> Top::run() {
  if (Status allowed = check_privileges(); !allowed) return allowed.error();
  if (Status opened = open_targets(); !opened) return opened.error();
  if (Status loaded = load(); !loaded) return loaded.error();
  Result<SignalFd> signals = options_.batch || !is_terminal(STDOUT_FILENO)
                                 ? SignalFd::open({SIGINT, SIGTERM, SIGHUP, SIGQUIT})
                                 : SignalFd::open({SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH});
  if (!signals) return signals.error();
  signals_.emplace(std::move(*signals));
  if (Status opened = open_output(); !opened) return opened.error();
  model_.set_interval(
      std::chrono::duration_cast<std::chrono::milliseconds>(nanoseconds(options_.interval_ns)));
  if (const auto column = parse_top_column(options_.sort))
    model_.sort_by(*column, *column == TopColumn::kPid || *column == TopColumn::kName);
  auto maps_answer = [this] { return session_->maps_answer(); };
  if (Status given = give_up_privileges(maps_answer); !given) return given.error();
  const uint64_t start_ns = session_->arm();
  for (const TargetProcess& target : targets_)
    if (has_ended(target)) session_->drop_target(target.pid);
  names_.emplace(options_.filter, devices_, start_ns, model_);
  sampled_ = Clock::now();
  cpu_before_ = own_cpu();
  if (screen_) screen_->draw(model_);
  if (child_) {
    if (const StartFailure failure = child_->release()) {
      tell(failure.message);
      return failure.exit_code;
    }
  }
  return loop();
}

}  // namespace

Result<int> run_top(const TopOptions& options) { return Top(options).run(); }

}  // namespace iohops
