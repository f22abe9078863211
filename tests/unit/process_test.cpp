// Target processes and held commands, on real processes of this machine.
#include "system/process.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <future>
#include <thread>

#include "system/signals.hpp"

namespace iohops {
namespace {

// A child of the test that lives until the test is over (it waits for the end of a pipe).
class Sleeper {
 public:
  explicit Sleeper(const char* comm) {
    int life[2];
    int ready[2];
    EXPECT_EQ(pipe2(life, O_CLOEXEC), 0);
    EXPECT_EQ(pipe2(ready, O_CLOEXEC), 0);
    pid_ = _Fork();  // without the thread that a sanitizer starts in each child
    if (pid_ == 0) {
      prctl(PR_SET_NAME, comm);
      close(life[1]);
      char byte = 1;
      (void)!write(ready[1], &byte, 1);
      (void)!read(life[0], &byte, 1);
      _exit(0);
    }
    close(life[0]);
    life_ = UniqueFd(life[1]);
    char byte = 0;
    EXPECT_EQ(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
  }
  ~Sleeper() {
    life_.reset();
    if (pid_ > 0) waitpid(pid_, nullptr, 0);
  }
  void end_unreaped() {
    life_.reset();
    siginfo_t info;
    waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT);
  }
  uint32_t pid() const { return static_cast<uint32_t>(pid_); }

 private:
  pid_t pid_ = -1;
  UniqueFd life_;
};

bool readable(int fd) {
  pollfd poll_fd = {.fd = fd, .events = POLLIN, .revents = 0};
  return poll(&poll_fd, 1, 0) == 1;
}

std::string refusal(uint32_t pid, ErrorKind kind) {
  auto target = open_target(pid);
  EXPECT_FALSE(target);
  if (target) return {};
  EXPECT_EQ(target.error().kind, kind);
  return target.error().message;
}

TEST(Target, a_running_process_is_pinned_with_its_threads) {
  Sleeper sleeper("odd) name (x");
  auto target = open_target(sleeper.pid());
  ASSERT_TRUE(target) << target.error().message;
  EXPECT_EQ(target->comm, "odd) name (x");
  EXPECT_EQ(target->threads, std::vector<uint32_t>{sleeper.pid()});
  EXPECT_GT(target->start_boot_ns, 0U);
  EXPECT_FALSE(readable(target->pidfd.get()));
  sleeper.end_unreaped();
  EXPECT_TRUE(readable(target->pidfd.get()));
}

TEST(Target, a_dead_pid_is_no_target) {
  uint32_t pid = 0;
  {
    Sleeper sleeper("short");
    pid = sleeper.pid();
  }
  EXPECT_EQ(refusal(pid, ErrorKind::kNoTarget),
            "no process " + std::to_string(pid) +
                " (it ended, or lives in another PID namespace: pgrep -a NAME)");
  refusal(0, ErrorKind::kNoTarget);
  refusal(UINT32_MAX, ErrorKind::kNoTarget);
}

TEST(Target, a_zombie_has_ended) {
  Sleeper sleeper("zombie");
  sleeper.end_unreaped();
  EXPECT_NE(refusal(sleeper.pid(), ErrorKind::kNoTarget).find("has ended"), std::string::npos);
}

TEST(Target, a_thread_id_names_its_process) {
  std::promise<uint32_t> started;
  std::promise<void> over;
  std::thread other([&] {
    started.set_value(static_cast<uint32_t>(syscall(SYS_gettid)));
    over.get_future().wait();
  });
  const uint32_t tid = started.get_future().get();
  const std::string message = refusal(tid, ErrorKind::kNoTarget);
  const auto threads = threads_of(static_cast<uint32_t>(getpid()));
  over.set_value();
  other.join();
  EXPECT_NE(message.find("is a thread of process " + std::to_string(getpid())), std::string::npos)
      << message;
  EXPECT_EQ(std::count(threads.begin(), threads.end(), tid), 1);
}

TEST(Target, this_program_itself_is_refused) {
  refusal(static_cast<uint32_t>(getpid()), ErrorKind::kUsage);
}

TEST(Target, a_kernel_thread_is_refused) {
  std::ifstream comm("/proc/2/comm");
  std::string name;
  if (!std::getline(comm, name) || name != "kthreadd") GTEST_SKIP() << "PID 2 is not kthreadd here";
  EXPECT_NE(refusal(2, ErrorKind::kNoTarget).find("kernel thread"), std::string::npos);
}

// A directory of the test's own, with what was put into it.
class Directory {
 public:
  Directory() { EXPECT_NE(mkdtemp(path_), nullptr); }
  ~Directory() { (void)!system(("rm -rf " + std::string(path_)).c_str()); }
  std::string file(const std::string& name, const std::string& text, mode_t mode = 0600) const {
    const std::string path = std::string(path_) + "/" + name;
    std::ofstream(path) << text;
    chmod(path.c_str(), mode);
    return path;
  }
  std::string path(const std::string& name) const { return std::string(path_) + "/" + name; }

 private:
  char path_[32] = "/tmp/iohops-test-XXXXXX";
};

TEST(Command, runs_only_after_its_release) {
  Directory directory;
  const std::string mark = directory.path("mark");
  auto child = Child::spawn_held({"sh", "-c", "echo done > " + mark + "; exit 7"});
  ASSERT_TRUE(child) << child.error().message;
  EXPECT_NE(access(mark.c_str(), F_OK), 0);
  EXPECT_EQ(kill(static_cast<pid_t>(child->pid()), 0), 0);
  EXPECT_FALSE(child->release());
  auto status = child->wait();
  ASSERT_TRUE(status);
  EXPECT_EQ(shell_exit_code(*status), 7);
  EXPECT_EQ(access(mark.c_str(), F_OK), 0);
}

TEST(Command, never_runs_when_the_handle_goes_away) {
  Directory directory;
  const std::string mark = directory.path("mark");
  pid_t pid = 0;
  {
    auto child = Child::spawn_held({"touch", mark});
    ASSERT_TRUE(child);
    pid = static_cast<pid_t>(child->pid());
  }
  EXPECT_EQ(kill(pid, 0), -1);
  EXPECT_NE(access(mark.c_str(), F_OK), 0);
}

TEST(Command, failed_exec_is_numbered_as_by_a_shell) {
  Directory directory;
  const std::string plain = directory.file("plain", "x", 0600);
  const std::string orphan = directory.file("orphan", "#!/no/such/interpreter\n", 0700);
  struct {
    std::string command;
    int exit_code;
    const char* reason;
  } const cases[] = {{"iohops-no-such-command", 127, "not found in PATH"},
                     {directory.path("missing"), 127, "No such file"},
                     {plain, 126, "Permission denied"},
                     {orphan, 127, "interpreter"},
                     {"/tmp", 126, "Permission denied"}};
  for (const auto& expected : cases) {
    // What can be known before: everything but a missing interpreter.
    EXPECT_EQ(find_command(expected.command).exit_code,
              expected.command == orphan ? 0 : expected.exit_code);
    auto child = Child::spawn_held({expected.command});
    ASSERT_TRUE(child);
    const StartFailure failure = child->release();
    EXPECT_EQ(failure.exit_code, expected.exit_code) << expected.command;
    EXPECT_NE(failure.message.find(expected.reason), std::string::npos) << failure.message;
    EXPECT_NE(failure.message.find(expected.command), std::string::npos) << failure.message;
    EXPECT_TRUE(child->wait());
  }
}

TEST(Command, is_looked_for_as_exec_does) {
  EXPECT_FALSE(find_command("sh"));
  EXPECT_FALSE(find_command("/bin/sh"));
  EXPECT_EQ(find_command("").exit_code, 127);
  EXPECT_EQ(find_command("/bin/sh/x").exit_code, 127);
  Directory directory;
  directory.file("iohops-plain", "x", 0600);
  const std::string path = getenv("PATH");
  setenv("PATH", (directory.path("") + ":/nonexistent").c_str(), 1);
  EXPECT_EQ(find_command("iohops-plain").exit_code, 126);
  EXPECT_EQ(find_command("sh").exit_code, 127);
  setenv("PATH", path.c_str(), 1);
}

TEST(Command, killed_while_held_is_told_by_its_status) {
  auto child = Child::spawn_held({"true"});
  ASSERT_TRUE(child);
  kill(static_cast<pid_t>(child->pid()), SIGKILL);
  pollfd ended = {.fd = child->pidfd(), .events = POLLIN, .revents = 0};
  ASSERT_EQ(poll(&ended, 1, 10'000), 1);
  EXPECT_FALSE(child->release());
  auto status = child->wait();
  ASSERT_TRUE(status);
  EXPECT_EQ(shell_exit_code(*status), 128 + SIGKILL);
}

// Exit status of a test process that runs `body`.
template <typename Body>
int in_a_child(Body body) {
  const pid_t pid = fork();
  if (pid == 0) {
    body();
    _exit(99);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  return status;
}

TEST(Command, has_the_signal_settings_that_we_were_started_with) {
  Directory directory;
  const std::string seen = directory.path("seen");
  const int status = in_a_child([&] {
    signal(SIGPIPE, SIG_DFL);
    take_over_signals();
    auto signals = SignalFd::open({SIGINT, SIGTERM});
    auto child =
        Child::spawn_held({"sh", "-c", "grep -E '^Sig(Blk|Ign)' /proc/self/status > " + seen});
    if (!signals || !child || child->release()) _exit(98);
    _exit(shell_exit_code(*child->wait()));
  });
  EXPECT_EQ(status, 0);
  std::ifstream file(seen);
  std::string word;
  uint64_t set = 0;
  int lines = 0;
  while (file >> word >> std::hex >> set) {
    ++lines;
    if (word == "SigBlk:")
      EXPECT_EQ(set & (1U << (SIGINT - 1) | 1U << (SIGTERM - 1)), 0U);
    else
      EXPECT_EQ(set & (1U << (SIGPIPE - 1)), 0U);
  }
  EXPECT_EQ(lines, 2);
}

TEST(Command, our_end_is_like_its_end) {
  EXPECT_EQ(WEXITSTATUS(in_a_child([] { exit_like(3 << 8); })), 3);
  const int status = in_a_child([] { exit_like(SIGTERM); });
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGTERM);
  const int ignored = in_a_child([] {
    signal(SIGSEGV, SIG_IGN);
    exit_like(SIGSEGV | 0x80);  // with a core dump: none of ours
  });
  ASSERT_TRUE(WIFSIGNALED(ignored));
  EXPECT_EQ(WTERMSIG(ignored), SIGSEGV);
  EXPECT_FALSE(WCOREDUMP(ignored));
}

TEST(Signals, are_delivered_by_the_descriptor_and_given_back) {
  sigset_t before;
  sigprocmask(SIG_SETMASK, nullptr, &before);
  {
    auto signals = SignalFd::open({SIGUSR1, SIGUSR2});
    ASSERT_TRUE(signals);
    EXPECT_EQ(signals->next(), std::nullopt);
    raise(SIGUSR2);
    EXPECT_TRUE(readable(signals->fd()));
    EXPECT_EQ(signals->next(), SIGUSR2);
    EXPECT_EQ(signals->next(), std::nullopt);
  }
  sigset_t after;
  sigprocmask(SIG_SETMASK, nullptr, &after);
  EXPECT_EQ(sigismember(&before, SIGUSR1), sigismember(&after, SIGUSR1));
}

TEST(Signals, a_hangup_that_was_ignored_at_the_start_stays_ignored) {
  const int status = in_a_child([] {
    signal(SIGHUP, SIG_IGN);
    auto signals = SignalFd::open({SIGHUP, SIGINT});
    raise(SIGHUP);
    raise(SIGINT);
    if (!signals || signals->next() != SIGINT || signals->next()) _exit(1);
    _exit(0);
  });
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace iohops
