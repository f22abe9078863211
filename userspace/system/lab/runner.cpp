#include "system/lab/runner.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <exception>

namespace iohops::lab {
namespace {

void put(char* to, size_t room, std::string_view text) { to[text.copy(to, room - 1)] = '\0'; }

Outcome run_one(const std::string& name, const std::string& directory) {
  Outcome outcome;
  try {
    Run run(directory, outcome);
    find_program(name)(run);
  } catch (const Unavailable& reason) {
    put(outcome.skipped, sizeof outcome.skipped, reason.what());
  } catch (const std::exception& error) {
    put(outcome.failed, sizeof outcome.failed, error.what());
  }
  return outcome;
}

// A program that dies leaves an outcome all the same.
void fork_one(const std::string& name, const std::string& directory, int outcomes) {
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    signal(SIGPIPE, SIG_IGN);
    const Outcome outcome = run_one(name, directory);
    _exit(write(outcomes, &outcome, sizeof outcome) == sizeof outcome ? 0 : 1);
  }
  int status = 0;
  if (pid > 0 && waitpid(pid, &status, 0) == pid && status == 0) return;
  Outcome outcome;
  put(outcome.failed, sizeof outcome.failed,
      pid < 0 ? std::strerror(errno) : "the program was ended by a signal");
  (void)!write(outcomes, &outcome, sizeof outcome);
}

[[noreturn]] void run_all(const std::vector<std::string>& names, const std::string& directory,
                          int gate, int outcomes, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  prctl(PR_SET_NAME, "iohops-lab");
  if (getppid() != parent) _exit(1);
  char go = 0;
  if (read(gate, &go, 1) != 1) _exit(1);
  for (const std::string& name : names) fork_one(name, directory, outcomes);
  _exit(0);
}

}  // namespace

Result<Runner> Runner::fork_held(const std::vector<std::string>& names,
                                 const std::string& directory) {
  int gate[2], outcomes[2];
  if (pipe2(gate, O_CLOEXEC) != 0 || pipe2(outcomes, O_CLOEXEC) != 0)
    return Error{ErrorKind::kRuntime, std::string("cannot make a pipe: ") + std::strerror(errno)};
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid < 0)
    return Error{ErrorKind::kRuntime, std::string("cannot fork: ") + std::strerror(errno)};
  if (pid == 0) {
    close(gate[1]);
    close(outcomes[0]);
    run_all(names, directory, gate[0], outcomes[1], parent);
  }
  close(gate[0]);
  close(outcomes[1]);
  Runner runner;
  runner.pid_ = pid;
  runner.gate_ = UniqueFd(gate[1]);
  runner.outcomes_ = UniqueFd(outcomes[0]);
  return runner;
}

Runner::~Runner() {
  if (!outcomes_) return;  // moved from
  gate_.reset();
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

void Runner::release() {
  const char go = 1;
  (void)!write(gate_.get(), &go, 1);
}

std::optional<Outcome> Runner::take() {
  Outcome outcome;
  ssize_t n = 0;
  do n = read(outcomes_.get(), &outcome, sizeof outcome);
  while (n < 0 && errno == EINTR);
  if (n != static_cast<ssize_t>(sizeof outcome)) return std::nullopt;
  return outcome;
}

}  // namespace iohops::lab
