// The terminal as a program finds and leaves it: a child on a pseudo terminal of its own.
#include "system/terminal.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <utmp.h>

#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>

#include "sinks/top/view.hpp"

namespace iohops {
namespace {

// Runs `body` in a child whose stdin and stdout are a terminal of 80x24, types to it and collects
// what it shows until it ends.
class OnTerminal {
 public:
  explicit OnTerminal(const std::function<int()>& body) {
    winsize size{};
    size.ws_row = 24;
    size.ws_col = 80;
    int slave = -1;
    if (openpty(&master_, &slave, nullptr, nullptr, &size) != 0) abort();
    slave_ = slave;
    tcgetattr(slave_, &before_);
    child_ = fork();
    if (child_ == 0) {
      close(master_);
      login_tty(slave);
      setenv("TERM", "xterm", 1);
      const rlimit no_core{0, 0};
      setrlimit(RLIMIT_CORE, &no_core);
      _exit(body());
    }
  }
  ~OnTerminal() {
    if (!ended_) {
      kill(child_, SIGKILL);
      waitpid(child_, nullptr, 0);
    }
    if (master_ >= 0) close(master_);
    close(slave_);
  }

  void type(std::string_view keys) {
    ASSERT_EQ(write(master_, keys.data(), keys.size()), static_cast<ssize_t>(keys.size()));
  }
  void resize(unsigned short rows, unsigned short columns) {
    winsize size{};
    size.ws_row = rows;
    size.ws_col = columns;
    ASSERT_EQ(ioctl(master_, TIOCSWINSZ, &size), 0);
  }
  // Reads until `text` was shown; false if it does not come.
  bool shows(const std::string& text) {
    while (shown_.find(text) == std::string::npos)
      if (!read_some()) return false;
    return true;
  }
  // The status of the child, as waitpid() gives it.
  int end() {
    int status = 0;
    while (waitpid(child_, &status, WNOHANG) == 0) read_some(20);
    ended_ = true;
    while (read_some(0)) {
    }
    return status;
  }
  bool modes_are_as_before() const {
    termios now{};
    tcgetattr(slave_, &now);
    return now.c_lflag == before_.c_lflag && now.c_iflag == before_.c_iflag &&
           now.c_oflag == before_.c_oflag && memcmp(now.c_cc, before_.c_cc, sizeof now.c_cc) == 0;
  }
  void hang_up() {
    close(master_);
    master_ = -1;
  }
  const std::string& shown() const { return shown_; }
  void forget() { shown_.clear(); }

 private:
  bool read_some(int timeout_ms = 10'000) {
    pollfd ready{master_, POLLIN, 0};
    if (poll(&ready, 1, timeout_ms) <= 0) return false;
    char buffer[4096];
    const ssize_t got = read(master_, buffer, sizeof buffer);
    if (got <= 0) return false;
    shown_.append(buffer, static_cast<size_t>(got));
    return true;
  }

  int master_ = -1, slave_ = -1;
  pid_t child_ = -1;
  bool ended_ = false;
  termios before_{};
  std::string shown_;
};

int show_top(bool crash_on_help) {
  const FatalSignalGuard guard;
  TopModel model;
  auto screen = TopScreen::open({.color = true, .utf8 = true});
  if (!screen) return screen.error().exit_code();
  TopScreen& top = **screen;
  for (;;) {
    top.draw(model);
    pollfd ready{top.input_fd(), POLLIN, 0};
    poll(&ready, 1, -1);
    if (!top.handle_input(model)) return 0;
    if (crash_on_help && model.help()) raise(SIGSEGV);
  }
}

TEST(Terminal, q_leaves_the_terminal_as_it_was) {
  OnTerminal child([] { return show_top(false); });
  ASSERT_TRUE(child.shows("waiting for the first interval"));
  EXPECT_FALSE(child.modes_are_as_before()) << "keys must arrive without a newline";
  child.type("q");
  EXPECT_EQ(child.end(), 0);
  EXPECT_TRUE(child.modes_are_as_before());
  EXPECT_NE(child.shown().find("\x1b[?1049l"), std::string::npos) << "back on the main screen";
}

TEST(Terminal, escape_sequences_and_letters_are_keys) {
  OnTerminal child([] { return show_top(false); });
  ASSERT_TRUE(child.shows("q quit"));
  child.type("/");
  ASSERT_TRUE(child.shows("filter:"));
  child.type("ab\x1bOD\x7fx\r");  // left, backspace: "b", then x in front
  ASSERT_TRUE(child.shows("xb"));
  child.type("?");
  ASSERT_TRUE(child.shows("any key closes this page"));
  child.type("qq");
  EXPECT_EQ(child.end(), 0);
}

TEST(Terminal, a_resized_terminal_is_drawn_anew) {
  OnTerminal child([] { return show_top(false); });
  ASSERT_TRUE(child.shows("q quit"));
  child.forget();
  child.resize(10, 30);
  child.type("o");  // any key: a signal could come before the child waits
  ASSERT_TRUE(child.shows("~")) << "30 columns cannot hold the hints";
  child.type("q");
  EXPECT_EQ(child.end(), 0);
}

TEST(Terminal, a_terminal_that_goes_away_ends_top) {
  OnTerminal child([] {
    signal(SIGHUP, SIG_IGN);
    return show_top(false);
  });
  ASSERT_TRUE(child.shows("q quit"));
  child.hang_up();
  EXPECT_EQ(child.end(), 0);
}

TEST(Terminal, a_crash_leaves_the_terminal_as_it_was_and_stays_a_crash) {
  OnTerminal child([] { return show_top(true); });
  ASSERT_TRUE(child.shows("q quit"));
  child.type("?");
  const int status = child.end();
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGSEGV);
  EXPECT_TRUE(child.modes_are_as_before());
  EXPECT_NE(child.shown().rfind("\x1b[?1049l"), std::string::npos);
}

TEST(Terminal, top_without_a_terminal_says_what_to_do) {
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  const int kept = dup(STDIN_FILENO);
  dup2(null, STDIN_FILENO);
  const auto screen = TopScreen::open();
  dup2(kept, STDIN_FILENO);
  close(kept);
  close(null);
  ASSERT_FALSE(screen);
  EXPECT_EQ(screen.error().kind, ErrorKind::kUsage);
  EXPECT_NE(screen.error().message.find("--batch"), std::string::npos);
}

TEST(Terminal, a_terminal_without_a_description_is_refused) {
  OnTerminal child([] {
    setenv("TERM", "no-such-terminal", 1);
    return show_top(false);
  });
  const int status = child.end();
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), static_cast<int>(ErrorKind::kRuntime));
  EXPECT_TRUE(child.modes_are_as_before());
}

TEST(Terminal, colour_is_a_matter_of_option_then_environment_then_terminal) {
  OnTerminal child([] {
    const auto color = [](const char* no_color, const char* term, std::optional<bool> option) {
      setenv("NO_COLOR", no_color, 1);
      setenv("TERM", term, 1);
      return use_color(option, STDOUT_FILENO);
    };
    if (!color("", "xterm", std::nullopt)) return 1;
    if (color("1", "xterm", std::nullopt)) return 2;
    if (color("", "dumb", std::nullopt)) return 3;
    if (!color("1", "dumb", true)) return 4;
    if (color("", "xterm", false)) return 5;
    if (terminal_columns(STDOUT_FILENO) != 80u) return 6;
    const int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    dup2(null, STDOUT_FILENO);
    if (color("", "xterm", std::nullopt)) return 7;
    if (terminal_columns(STDOUT_FILENO)) return 8;
    return 0;
  });
  EXPECT_EQ(WEXITSTATUS(child.end()), 0);
}

}  // namespace
}  // namespace iohops
