// What the terminal is and can do, and how it is left intact when the program dies. Sees the
// environment and termios; does not draw.
#pragma once

#include <cstddef>
#include <optional>

namespace iohops {

bool is_terminal(int fd);

// Columns of the terminal on `fd`; unset if it is none or does not say. COLUMNS is not consulted.
std::optional<size_t> terminal_columns(int fd);

// --color (unset: auto) over NO_COLOR (not empty) over TERM=dumb or no terminal over yes.
bool use_color(std::optional<bool> forced, int fd);

// Adopts the locale of the environment for characters (LC_CTYPE only: figures keep their form) and
// says whether it is a UTF-8 one.
bool adopt_utf8_locale();

// While it lives, a fatal signal (SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL) first leaves
// full-screen mode and gives the terminal its modes back, then kills the process as before. Only
// async-signal-safe calls are made. One at a time.
class FatalSignalGuard {
 public:
  FatalSignalGuard();  // remembers the modes of stdin's terminal: make it before the screen
  ~FatalSignalGuard();
  FatalSignalGuard(const FatalSignalGuard&) = delete;
  FatalSignalGuard& operator=(const FatalSignalGuard&) = delete;
};

}  // namespace iohops
