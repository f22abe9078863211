#include "system/signals.hpp"

#include <sys/signalfd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <string>

namespace iohops {
namespace {

// What we were started with. Plain globals, as the child of a fork reads them before its exec.
sigset_t original_mask;
constexpr std::array kIgnored{SIGPIPE, SIGXFSZ};
std::array<struct sigaction, kIgnored.size()> original;
bool taken_over = false;

bool ignored_now(int signal) {
  struct sigaction action = {};
  return sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

}  // namespace

void take_over_signals() {
  if (taken_over) return;
  sigprocmask(SIG_SETMASK, nullptr, &original_mask);
  struct sigaction ignore = {};
  ignore.sa_handler = SIG_IGN;
  for (size_t i = 0; i < kIgnored.size(); i++) sigaction(kIgnored[i], &ignore, &original[i]);
  taken_over = true;
}

void give_back_signals() {
  if (!taken_over) return;
  for (size_t i = 0; i < kIgnored.size(); i++) sigaction(kIgnored[i], &original[i], nullptr);
  sigprocmask(SIG_SETMASK, &original_mask, nullptr);
}

Result<SignalFd> SignalFd::open(std::initializer_list<int> signals) {
  sigset_t wanted;
  sigset_t before;
  sigemptyset(&wanted);
  for (int signal : signals)
    if (signal != SIGHUP || !ignored_now(SIGHUP)) sigaddset(&wanted, signal);
  UniqueFd fd(signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK));
  // Blocked only once the descriptor is there to deliver them.
  if (!fd || sigprocmask(SIG_BLOCK, &wanted, &before) != 0)
    return Error{ErrorKind::kRuntime,
                 std::string("cannot wait for signals (signalfd): ") + std::strerror(errno)};
  return SignalFd(std::move(fd), before);
}

SignalFd::~SignalFd() {
  if (!fd_) return;
  while (next()) {  // what came too late to be asked for must not kill whoever is ending anyway
  }
  sigprocmask(SIG_SETMASK, &before_, nullptr);
}

void SignalFd::let_through(int signal) {
  if (sigismember(&before_, signal) == 1) return;
  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, signal);
  sigprocmask(SIG_UNBLOCK, &one, nullptr);
}

std::optional<int> SignalFd::next() {
  signalfd_siginfo info = {};
  ssize_t got = 0;
  do {
    got = read(fd_.get(), &info, sizeof info);
  } while (got < 0 && errno == EINTR);
  if (got != static_cast<ssize_t>(sizeof info)) return std::nullopt;
  return static_cast<int>(info.ssi_signo);
}

}  // namespace iohops
