#include "system/process.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <optional>
#include <string_view>

#include "system/signals.hpp"

namespace iohops {
namespace {

constexpr uint64_t kKernelThread = 0x00200000;  // PF_KTHREAD, include/linux/sched.h

// glibc has a wrapper since 2.36 only.
UniqueFd open_pidfd(pid_t pid) {
  return UniqueFd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
}

// A whole small file of /proc; nullopt with errno if it cannot be read.
std::optional<std::string> slurp(const std::string& path) {
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return std::nullopt;
  std::string text;
  std::array<char, 4096> part{};
  for (;;) {
    const ssize_t got = read(fd.get(), part.data(), part.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::nullopt;
    if (got == 0) return text;
    text.append(part.data(), static_cast<size_t>(got));
  }
}

template <typename Number>
std::optional<Number> parse_number(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// The value of "Key:\tvalue" in /proc/PID/status.
std::string_view status_value(std::string_view status, std::string_view key) {
  while (!status.empty()) {
    const size_t end = status.find('\n');
    const std::string_view line = status.substr(0, end);
    if (line.substr(0, key.size()) == key && line.substr(key.size(), 2) == ":\t")
      return line.substr(key.size() + 2);
    if (end == std::string_view::npos) break;
    status.remove_prefix(end + 1);
  }
  return {};
}

struct Stat {
  std::string comm;
  char state = '?';
  uint64_t flags = 0;
  uint64_t start_ticks = 0;
};

// /proc/PID/stat: "pid (comm) S ppid ...": the comm may hold anything, so it ends at the last ')'.
std::optional<Stat> parse_stat(std::string_view text) {
  const size_t open = text.find('(');
  const size_t close = text.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open)
    return std::nullopt;
  Stat stat;
  stat.comm = text.substr(open + 1, close - open - 1);
  std::string_view rest = text.substr(close + 1);
  // Field numbers as in proc(5): 3 state, 9 flags, 22 starttime.
  for (int field = 3; field <= 22; ++field) {
    const size_t begin = rest.find_first_not_of(" \n");
    if (begin == std::string_view::npos) return std::nullopt;
    rest.remove_prefix(begin);
    const std::string_view word = rest.substr(0, rest.find_first_of(" \n"));
    rest.remove_prefix(word.size());
    if (field == 3) stat.state = word.front();
    if (field == 9) stat.flags = parse_number<uint64_t>(word).value_or(0);
    if (field == 22) stat.start_ticks = parse_number<uint64_t>(word).value_or(0);
  }
  return stat;
}

Error no_target(uint32_t pid, const std::string& what) {
  return {ErrorKind::kNoTarget, "process " + std::to_string(pid) + " " + what};
}

Error gone(uint32_t pid) {
  return {ErrorKind::kNoTarget,
          "no process " + std::to_string(pid) +
              " (it ended, or lives in another PID namespace: pgrep -a NAME)"};
}

// What is wrong with tracing this process, if anything.
Status check_kind(uint32_t pid, std::string_view status, const Stat& stat) {
  const auto tgid = parse_number<uint32_t>(status_value(status, "Tgid"));
  if (tgid && *tgid != pid)
    return Error{ErrorKind::kNoTarget,
                 std::to_string(pid) + " is a thread of process " + std::to_string(*tgid) +
                     ": use -p " + std::to_string(*tgid) + ", which traces all its threads"};
  if ((stat.flags & kKernelThread) != 0)
    return no_target(pid,
                     "is a kernel thread: it makes no requests of its own. What it does for a "
                     "process is in the trace of that process; -a traces everything");
  if (stat.state == 'Z' || stat.state == 'X')
    return no_target(pid, "has ended already (its parent has not fetched its exit status yet)");
  return {};
}

}  // namespace

std::vector<uint32_t> threads_of(uint32_t pid) {
  std::vector<uint32_t> threads;
  const std::string path = "/proc/" + std::to_string(pid) + "/task";
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir(path.c_str()), closedir);
  if (!directory) return threads;
  while (const dirent* entry = readdir(directory.get()))
    if (const auto tid = parse_number<uint32_t>(entry->d_name)) threads.push_back(*tid);
  return threads;
}

Result<TargetProcess> open_target(uint32_t pid) {
  if (pid == static_cast<uint32_t>(getpid()))
    return Error{ErrorKind::kUsage,
                 "process " + std::to_string(pid) + " is this iohops: it never traces itself"};
  if (pid == 0 || pid > INT32_MAX) return gone(pid);

  TargetProcess target;
  target.pid = pid;
  // The pidfd first: what is read after it belongs to the same process as long as it is alive then.
  target.pidfd = open_pidfd(static_cast<pid_t>(pid));
  const int pidfd_error = errno;
  const std::string proc = "/proc/" + std::to_string(pid);
  const auto status = slurp(proc + "/status");
  const auto stat_text = slurp(proc + "/stat");
  if (!status || !stat_text) {
    if (!target.pidfd) return gone(pid);
    return Error{ErrorKind::kPermission,
                 "process " + std::to_string(pid) + " runs, but " + proc +
                     " cannot be read (mounted with hidepid, or not at all): run with sudo, or "
                     "mount -o remount,hidepid=0 /proc"};
  }
  const auto stat = parse_stat(*stat_text);
  if (!stat) return Error{ErrorKind::kRuntime, "cannot read " + proc + "/stat: unknown format"};
  if (Status kind = check_kind(pid, *status, *stat); !kind) return kind.error();
  if (!target.pidfd) {
    if (pidfd_error == ESRCH) return gone(pid);
    return Error{ErrorKind::kRuntime, "cannot watch process " + std::to_string(pid) +
                                          " (pidfd_open): " + std::strerror(pidfd_error)};
  }
  target.comm = stat->comm;
  const auto ticks_per_second = static_cast<uint64_t>(sysconf(_SC_CLK_TCK));
  target.start_boot_ns = stat->start_ticks * (1'000'000'000 / ticks_per_second);
  target.threads = threads_of(pid);
  if (target.threads.empty()) return gone(pid);
  return target;
}

bool has_ended(const TargetProcess& target) {
  pollfd end{target.pidfd.get(), POLLIN, 0};
  return poll(&end, 1, 0) == 1;
}

namespace {

// 0: it may be executed; else the errno that exec would give.
int exec_obstacle(const std::string& path) {
  struct stat facts = {};
  if (stat(path.c_str(), &facts) != 0) return errno;
  if (!S_ISREG(facts.st_mode)) return EACCES;
  return access(path.c_str(), X_OK) == 0 ? 0 : errno;
}

StartFailure start_failure(const std::string& name, int error, std::string reason) {
  return {.exit_code = error == ENOENT || error == ENOTDIR ? 127 : 126,
          .message = "cannot run " + name + ": " + std::move(reason)};
}

}  // namespace

Result<std::string> c_library_of(uint32_t pid) {
  const std::string process = pid == 0 ? "/proc/self" : "/proc/" + std::to_string(pid);
  const auto unreachable = [](const std::string& path) {
    return Error{ErrorKind::kPermission,
                 "cannot read " + path + ": " + std::strerror(errno) +
                     " (another user's process needs CAP_SYS_PTRACE): run with sudo"};
  };
  std::ifstream maps(process + "/maps");
  if (!maps) return unreachable(process + "/maps");
  for (std::string line; std::getline(maps, line);) {
    const size_t at = line.find('/');
    if (at == std::string::npos || !line.ends_with("/libc.so.6")) continue;
    const std::string path = (pid == 0 ? "" : process + "/root") + line.substr(at);
    struct stat facts {};
    return stat(path.c_str(), &facts) == 0 ? Result<std::string>(path) : unreachable(path);
  }
  return Error{ErrorKind::kRuntime,
               (pid == 0 ? "iohops" : "process " + std::to_string(pid)) +
                   " maps no glibc (libc.so.6): its streams, if it has any, are "
                   "another library's. Leave --stdio out"};
}

StartFailure find_command(const std::string& name) {
  if (name.find('/') != std::string::npos) {
    const int error = exec_obstacle(name);
    return error == 0 ? StartFailure{} : start_failure(name, error, std::strerror(error));
  }
  const char* path = getenv("PATH");
  std::string_view rest = path != nullptr ? path : "/bin:/usr/bin";
  int denied = 0;
  for (bool more = !name.empty(); more;) {
    const size_t colon = rest.find(':');
    const std::string directory(rest.substr(0, colon));
    const int error = exec_obstacle((directory.empty() ? "." : directory) + "/" + name);
    if (error == 0) return {};
    if (error == EACCES) denied = error;
    more = colon != std::string_view::npos;
    if (more) rest.remove_prefix(colon + 1);
  }
  if (denied != 0) return start_failure(name, denied, std::strerror(denied));
  return start_failure(name, ENOENT, "command not found in PATH");
}

Child::~Child() {
  if (pid_ <= 0) return;
  if (gate_) {  // never released: the child sees the end of the gate and ends by itself
    gate_.reset();
    (void)wait();
  }
}

namespace {

// Between fork and exec: async-signal-safe calls only.
[[noreturn]] void run_command(char* const* argv, int gate, int report) {
  char go = 0;
  ssize_t got = 0;
  do {
    got = read(gate, &go, 1);
  } while (got < 0 && errno == EINTR);
  if (got != 1) _exit(125);
  give_back_signals();
  execvp(argv[0], argv);
  const int error = errno;
  (void)!write(report, &error, sizeof error);
  _exit(127);
}

Error start_error(const std::string& what, const char* call) {
  return {ErrorKind::kRuntime, "cannot start " + what + " (" + call + "): " + std::strerror(errno)};
}

}  // namespace

Result<Child> Child::spawn_held(const std::vector<std::string>& command) {
  std::vector<char*> argv;
  argv.reserve(command.size() + 1);
  for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);

  // A socket pair for the gate: writing into it after the child was killed is an error with
  // MSG_NOSIGNAL, whatever SIGPIPE is set to.
  int gate[2];
  int report[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, gate) != 0)
    return start_error(command[0], "socketpair");
  UniqueFd gate_ours(gate[0]);
  UniqueFd gate_childs(gate[1]);
  if (pipe2(report, O_CLOEXEC) != 0) return start_error(command[0], "pipe");
  UniqueFd report_ours(report[0]);
  UniqueFd report_childs(report[1]);

  const pid_t pid = fork();
  if (pid < 0) return start_error(command[0], "fork");
  if (pid == 0) {
    gate_ours.reset();  // so that our end, closed, is an end of file for the child
    run_command(argv.data(), gate_childs.get(), report_childs.get());
  }
  Child child;
  child.command_ = command;
  child.pid_ = pid;
  child.gate_ = std::move(gate_ours);
  child.report_ = std::move(report_ours);
  child.pidfd_ = open_pidfd(pid);
  if (!child.pidfd_) return start_error(command[0], "pidfd_open");
  return child;
}

StartFailure Child::release() {
  const char go = 1;
  const bool sent = send(gate_.get(), &go, 1, MSG_NOSIGNAL) == 1;
  gate_.reset();
  if (!sent) return {};  // killed while it was held: wait() tells

  int error = 0;
  ssize_t got = 0;
  do {
    got = read(report_.get(), &error, sizeof error);
  } while (got < 0 && errno == EINTR);
  report_.reset();
  if (got != static_cast<ssize_t>(sizeof error)) return {};
  const std::string& name = command_[0];
  if (error == ENOENT && !find_command(name))
    return start_failure(name, error, "its interpreter (first line, or ELF loader) does not exist");
  if (error == ENOENT && name.find('/') == std::string::npos)
    return start_failure(name, error, "command not found in PATH");
  return start_failure(name, error, std::strerror(error));
}

Result<int> Child::wait() {
  int status = 0;
  pid_t ended = 0;
  do {
    ended = waitpid(pid_, &status, 0);
  } while (ended < 0 && errno == EINTR);
  if (ended < 0)
    return Error{ErrorKind::kRuntime,
                 "cannot wait for process " + std::to_string(pid_) + ": " + std::strerror(errno)};
  pid_ = -1;
  return status;
}

int shell_exit_code(int wait_status) {
  return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

void exit_like(int wait_status) {
  std::fflush(nullptr);
  if (WIFSIGNALED(wait_status)) {
    const int signal = WTERMSIG(wait_status);
    const rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    prctl(PR_SET_DUMPABLE, 0);  // a core_pattern pipe ignores the limit
    struct sigaction standard = {};
    standard.sa_handler = SIG_DFL;
    sigaction(signal, &standard, nullptr);
    sigset_t only;
    sigemptyset(&only);
    sigaddset(&only, signal);
    raise(signal);
    sigprocmask(SIG_UNBLOCK, &only, nullptr);
  }
  _exit(shell_exit_code(wait_status));
}

}  // namespace iohops
