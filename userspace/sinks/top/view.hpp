// TopScreen: frames on a real terminal, keys from it (ncursesw). Sees frames and the terminal; does
// not see what the figures mean.
#pragma once

#include <memory>

#include "core/result.hpp"
#include "core/top/model.hpp"

namespace iohops {

struct TopScreenOptions {
  bool color = true;
  bool utf8 = true;
};

// Owns the terminal from open() until it is destroyed; the way out is always the destructor: the
// caller reads its signals from a descriptor and leaves its loop, nothing is done inside a handler.
// There is one terminal, so there is at most one TopScreen.
class TopScreen {
 public:
  // Fails with kUsage if stdin or stdout is no terminal (use --batch), kRuntime if TERM is unknown.
  static Result<std::unique_ptr<TopScreen>> open(TopScreenOptions options = {});
  ~TopScreen();
  TopScreen(const TopScreen&) = delete;
  TopScreen& operator=(const TopScreen&) = delete;

  // Readable when handle_input() has something to do.
  int input_fd() const;
  // Takes every key that has arrived and gives it to the model; never waits. False: leave. The
  // caller draws afterwards, and takes the model's interval() anew.
  bool handle_input(TopModel&);
  // Follows the terminal's size by itself: on SIGWINCH it is enough to draw again.
  void draw(const TopModel&);

 private:
  struct Terminal;  // the ncurses screen
  explicit TopScreen(TopScreenOptions options);
  TopScreenOptions options_;
  std::unique_ptr<Terminal> terminal_;
};

}  // namespace iohops
