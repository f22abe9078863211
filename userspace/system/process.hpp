// Processes to trace: one that runs already, looked up and pinned by a pidfd, or a command that is
// started and held just before its exec until tracing is armed. Sees /proc and fork; knows nothing
// of BPF.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "system/unique_fd.hpp"

namespace iohops {

// A running process, pinned: the pidfd becomes readable when it ends, also when its number is used
// again by then.
struct TargetProcess {
  uint32_t pid = 0;            // in our PID namespace
  std::string comm;            // raw bytes
  uint64_t start_boot_ns = 0;  // since boot, in steps of the kernel's clock tick
  std::vector<uint32_t> threads;
  UniqueFd pidfd;
};

// Refused with what is wrong and what to do: a number that is no process (5), a thread of another
// process (names it), a kernel thread, a zombie, this program itself (2).
Result<TargetProcess> open_target(uint32_t pid);

// Whether it is over; its number may then be another process's.
bool has_ended(const TargetProcess& target);

// Threads of a process, in the order of /proc; empty if it has ended.
std::vector<uint32_t> threads_of(uint32_t pid);

// The glibc that a process has mapped, as a path that we can open (another mount namespace
// included); 0: our own, for a command that has not run yet. Refused where there is none (static,
// another C library) or where it cannot be reached (4).
Result<std::string> c_library_of(uint32_t pid);

// How a command could not be started, as shells and env(1) number it: 127 not found, 126 found but
// not executable, 125 our own failure.
struct StartFailure {
  int exit_code = 0;  // 0: it runs
  std::string message;

  explicit operator bool() const { return exit_code != 0; }
};

// Whether a command would be found and may be executed, as execvp(3) looks for it. Only exec itself
// knows the rest (an interpreter that does not exist, a broken file).
StartFailure find_command(const std::string& name);

// A command of ours. It has our standard input, output and error, our process group (Ctrl-C reaches
// it too) and the signal settings that we were started with. If the handle goes away before the
// release, the command never runs. It is never killed by us.
class Child {
 public:
  Child() = default;
  Child(Child&&) = default;
  Child& operator=(Child&&) = delete;
  Child(const Child&) = delete;
  ~Child();

  // Forks; the child waits before its exec. Its PID is known and can be traced from now on.
  static Result<Child> spawn_held(const std::vector<std::string>& command);

  uint32_t pid() const { return static_cast<uint32_t>(pid_); }
  int pidfd() const { return pidfd_.get(); }  // readable when it has ended

  // Lets it exec and waits until it has, or could not.
  StartFailure release();

  // Waits for its end (at once after the pidfd became readable); wait(2)'s status.
  Result<int> wait();

 private:
  std::vector<std::string> command_;
  pid_t pid_ = -1;
  UniqueFd pidfd_;
  UniqueFd gate_;    // the child goes on when it reads a byte from the other end
  UniqueFd report_;  // errno of a failed exec; closed by a good one
};

// A wait(2) status as a shell's exit code: the code, or 128 + the signal.
int shell_exit_code(int wait_status);

// Ends this process as the command ended: with its exit code, or by the same signal (without a core
// dump of ours), so that a caller sees no difference. Call it last.
[[noreturn]] void exit_like(int wait_status);

}  // namespace iohops
