// Asks the terminal and the environment, and gives the terminal back when the program dies.
#include "system/terminal.hpp"

#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <string_view>

namespace iohops {
namespace {

constexpr std::array kFatal{SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};

// What the handler needs, in memory that is always there: a handler may not allocate.
struct Saved {
  termios modes;
  bool have_modes;
  std::array<struct sigaction, kFatal.size()> before;
};
Saved saved;

// Attributes off, cursor keys and keypad as usual, cursor visible, main screen: the sequences of
// every terminal that ncurses would have switched with (ECMA-48, xterm).
constexpr std::string_view kLeaveFullScreen = "\x1b[0m\x1b[?1l\x1b>\x1b[?25h\x1b[?1049l\r\n";

extern "C" void restore_terminal_and_die(int signal_number) {
  if (saved.have_modes) {
    // Nothing can be done about a failure here, and the result must not be optimised away.
    [[maybe_unused]] const ssize_t written =
        write(STDOUT_FILENO, kLeaveFullScreen.data(), kLeaveFullScreen.size());
    tcsetattr(STDIN_FILENO, TCSANOW, &saved.modes);
  }
  // SA_RESETHAND has put the default back: the signal kills when the handler returns, with the
  // status and core dump that it would have had.
  raise(signal_number);
}

std::string_view environment(const char* name) {
  const char* value = getenv(name);
  return value == nullptr ? std::string_view() : value;
}

}  // namespace

bool is_terminal(int fd) { return isatty(fd) == 1; }

std::optional<size_t> terminal_columns(int fd) {
  winsize size{};
  if (ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return std::nullopt;
  return size.ws_col;
}

bool use_color(std::optional<bool> forced, int fd) {
  if (forced) return *forced;
  if (!environment("NO_COLOR").empty()) return false;
  const std::string_view term = environment("TERM");
  return !term.empty() && term != "dumb" && is_terminal(fd);
}

bool adopt_utf8_locale() {
  setlocale(LC_CTYPE, "");
  return std::string_view(nl_langinfo(CODESET)) == "UTF-8";
}

FatalSignalGuard::FatalSignalGuard() {
  saved.have_modes = tcgetattr(STDIN_FILENO, &saved.modes) == 0;
  struct sigaction action {};
  action.sa_handler = restore_terminal_and_die;
  action.sa_flags = SA_RESETHAND;
  sigemptyset(&action.sa_mask);
  for (size_t i = 0; i < kFatal.size(); ++i) sigaction(kFatal[i], &action, &saved.before[i]);
}

FatalSignalGuard::~FatalSignalGuard() {
  for (size_t i = 0; i < kFatal.size(); ++i) sigaction(kFatal[i], &saved.before[i], nullptr);
  saved.have_modes = false;
}

}  // namespace iohops
