// Signals: what we were started with, and those that ask us to stop, as a pollable descriptor.
#pragma once

#include <csignal>
#include <initializer_list>
#include <optional>
#include <utility>

#include "core/result.hpp"
#include "system/unique_fd.hpp"

namespace iohops {

// First thing in main: remembers the mask and the dispositions of SIGPIPE and SIGXFSZ, then ignores
// both (a closed pipe, a file as large as ulimit -f allows: errors of the write, handled there).
void take_over_signals();

// Back to what we were started with. Async-signal-safe: for a child between fork and exec.
void give_back_signals();

// Signals delivered through a descriptor instead of a handler. They are blocked as long as this
// lives (then unblocked again if they were). SIGHUP is left alone when it was ignored at the start
// (nohup); SIGINT is taken also then, as non-interactive shells ignore it for background jobs.
class SignalFd {
 public:
  static Result<SignalFd> open(std::initializer_list<int> signals);
  SignalFd(SignalFd&&) = default;
  SignalFd& operator=(SignalFd&&) = delete;
  ~SignalFd();

  int fd() const { return fd_.get(); }
  std::optional<int> next();  // the next signal that came, nullopt: none is pending
  // From now on this one does what it did before, at once if it is pending.
  void let_through(int signal);

 private:
  SignalFd(UniqueFd fd, const sigset_t& before) : fd_(std::move(fd)), before_(before) {}
  UniqueFd fd_;
  sigset_t before_;
};

}  // namespace iohops
