// Puts frames on the terminal with ncursesw and takes keys from it.
#include "sinks/top/view.hpp"

#define NCURSES_NOMACROS  // functions only: macros named move, erase or timeout are no good
#include <curses.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>

#include "sinks/top/frame.hpp"

namespace iohops {
namespace {

using Code = TopKey::Code;

enum ColorPair : short { kGoodPair = 1, kWarnPair, kTitlePair, kSortedPair, kSelectedPair };

attr_t attributes(TopStyle style, bool color) {
  const auto pair = [color](short number, attr_t without) {
    return color ? static_cast<attr_t>(COLOR_PAIR(number)) : without;
  };
  switch (style) {
    case TopStyle::kPlain:
      return A_NORMAL;
    case TopStyle::kBold:
      return A_BOLD;
    case TopStyle::kDim:
      return A_DIM;
    case TopStyle::kTitle:
      return pair(kTitlePair, A_REVERSE);
    case TopStyle::kSorted:
      return pair(kSortedPair, A_REVERSE) | A_BOLD;
    case TopStyle::kSelected:
      return pair(kSelectedPair, A_REVERSE);
    case TopStyle::kGood:
      return pair(kGoodPair, A_NORMAL);
    case TopStyle::kWarn:
      return pair(kWarnPair, A_NORMAL) | A_BOLD;
  }
  return A_NORMAL;
}

void start_colors() {
  start_color();
  use_default_colors();  // -1: whatever the person's terminal has
  init_pair(kGoodPair, COLOR_GREEN, -1);
  init_pair(kWarnPair, COLOR_YELLOW, -1);
  init_pair(kTitlePair, COLOR_BLACK, COLOR_GREEN);
  init_pair(kSortedPair, COLOR_BLACK, COLOR_CYAN);
  init_pair(kSelectedPair, COLOR_BLACK, COLOR_CYAN);
}

TopKey from_function_key(wint_t key) {
  switch (key) {
    case KEY_UP:
      return {Code::kUp, 0};
    case KEY_DOWN:
      return {Code::kDown, 0};
    case KEY_LEFT:
      return {Code::kLeft, 0};
    case KEY_RIGHT:
      return {Code::kRight, 0};
    case KEY_PPAGE:
      return {Code::kPageUp, 0};
    case KEY_NPAGE:
      return {Code::kPageDown, 0};
    case KEY_HOME:
      return {Code::kHome, 0};
    case KEY_END:
      return {Code::kEnd, 0};
    case KEY_ENTER:
      return {Code::kEnter, 0};
    case KEY_BACKSPACE:
      return {Code::kBackspace, 0};
    case KEY_DC:
      return {Code::kDelete, 0};
    case KEY_F(1):
      return {Code::kHelp, 0};
    case KEY_F(4):
      return {Code::kCharacter, '/'};
    case KEY_F(10):
      return {Code::kCharacter, 'q'};
    default:
      return {Code::kOther, 0};
  }
}

TopKey from_character(wint_t c) {
  switch (c) {
    case '\r':
    case '\n':
      return {Code::kEnter, 0};
    case 0x1b:
      return {Code::kEscape, 0};
    case 0x08:
    case 0x7f:
      return {Code::kBackspace, 0};
    case '\t':
      return {Code::kTab, 0};
    default:
      return {Code::kCharacter, static_cast<char32_t>(c)};
  }
}

// ncurses would end the program from inside a handler of its own on SIGINT and SIGTERM. Whoever
// opened the screen decides what these do.
class KeptSignals {
 public:
  KeptSignals() {
    for (size_t i = 0; i < kKept.size(); ++i) sigaction(kKept[i], nullptr, &before_[i]);
  }
  ~KeptSignals() {
    for (size_t i = 0; i < kKept.size(); ++i) sigaction(kKept[i], &before_[i], nullptr);
  }

 private:
  static constexpr std::array kKept{SIGINT, SIGTERM};
  std::array<struct sigaction, kKept.size()> before_;
};

}  // namespace

struct TopScreen::Terminal {
  SCREEN* screen = nullptr;

  ~Terminal() {
    if (screen == nullptr) return;
    endwin();
    delscreen(screen);
  }

  // ncurses learns of a new size from SIGWINCH, which the caller may have blocked or may read from
  // a descriptor: so the terminal is asked each time.
  static void follow_size() {
    winsize size{};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0)
      return;
    if (is_term_resized(size.ws_row, size.ws_col)) {
      resize_term(size.ws_row, size.ws_col);
      clearok(curscr, TRUE);
    }
  }

  static std::optional<TopKey> read_key() {
    wint_t c = 0;
    const int got = wget_wch(stdscr, &c);
    if (got == ERR) return std::nullopt;
    return got == KEY_CODE_YES ? from_function_key(c) : from_character(c);
  }
};

TopScreen::TopScreen(TopScreenOptions options)
    : options_(options), terminal_(std::make_unique<Terminal>()) {}

TopScreen::~TopScreen() = default;

Result<std::unique_ptr<TopScreen>> TopScreen::open(TopScreenOptions options) {
  if (isatty(STDIN_FILENO) != 1 || isatty(STDOUT_FILENO) != 1)
    return Error{ErrorKind::kUsage,
                 "cannot show top: stdin or stdout is not a terminal. Use iohops top --batch"};
  const char* term = getenv("TERM");
  const std::string name = term == nullptr ? "" : term;
  std::unique_ptr<TopScreen> top(new TopScreen(options));
  const KeptSignals kept;
  // newterm(), not initscr(): the latter ends the program if TERM is unknown.
  top->terminal_->screen = name.empty() ? nullptr : newterm(nullptr, stdout, stdin);
  if (top->terminal_->screen == nullptr)
    return Error{ErrorKind::kRuntime, "cannot show top: no description of the terminal '" + name +
                                          "'. Set TERM (TERM=xterm-256color iohops top ...) or use "
                                          "iohops top --batch"};
  const char* place = tigetstr("cup");
  // What terminfo answers for a name that is none of a string.
  const auto* const no_string = reinterpret_cast<const char*>(-1);  // NOLINT(performance-no-int-to-ptr)
  if (place == nullptr || place == no_string)
    return Error{ErrorKind::kRuntime, "cannot show top: the terminal '" + name +
                                          "' cannot place text. Use iohops top --batch"};
  cbreak();
  noecho();
  nonl();
  curs_set(0);
  keypad(stdscr, TRUE);
  nodelay(stdscr, TRUE);
  set_escdelay(25);  // ms: Esc alone is a key here
  if (options.color && has_colors()) {
    start_colors();
  } else {
    top->options_.color = false;
  }
  return top;
}

int TopScreen::input_fd() const { return STDIN_FILENO; }

bool TopScreen::handle_input(TopModel& model) {
  Terminal::follow_size();
  const auto page = top_table_rows(static_cast<size_t>(std::max(1, LINES)));
  bool silent = true;
  while (const auto key = Terminal::read_key()) {
    silent = false;
    if (key->code == Code::kCharacter && key->character == 0x0c) {  // Ctrl-L
      clearok(curscr, TRUE);
      continue;
    }
    if (!model.handle(*key, page)) return false;
  }
  // A terminal that is gone is readable for ever and never has a key.
  pollfd input{STDIN_FILENO, 0, 0};
  return !silent || poll(&input, 1, 0) == 0;
}

void TopScreen::draw(const TopModel& model) {
  Terminal::follow_size();
  const TopFrame frame = top_frame(model, static_cast<size_t>(std::max(0, COLS)),
                                   static_cast<size_t>(std::max(0, LINES)), options_.utf8);
  erase();
  int y = 0;
  for (const TopLine& line : frame.lines) {
    move(y++, 0);
    for (const TopSpan& span : line) {
      attrset(attributes(span.style, options_.color));
      addstr(span.text.c_str());
    }
  }
  attrset(A_NORMAL);
  if (frame.cursor)
    move(static_cast<int>(frame.cursor->line), static_cast<int>(frame.cursor->column));
  curs_set(frame.cursor ? 1 : 0);
  refresh();
}

}  // namespace iohops
