// Runner: runs the lab's programs one after another, each in a process of its own, below a child that
// waits until tracing is armed. Sees names of programs; knows nothing of traces.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "system/lab/program.hpp"
#include "system/unique_fd.hpp"

namespace iohops::lab {

class Runner {
 public:
  Runner() = default;
  Runner(Runner&&) = default;
  Runner& operator=(Runner&&) = delete;
  Runner(const Runner&) = delete;
  ~Runner();  // ends the child, if it is still there

  // Forks: call it before there are threads.
  static Result<Runner> fork_held(const std::vector<std::string>& names, const std::string& directory);

  uint32_t pid() const { return static_cast<uint32_t>(pid_); }
  void release();
  int fd() const { return outcomes_.get(); }  // readable when take() has something
  // The outcome of the next program; nullopt: all have ended.
  std::optional<Outcome> take();

 private:
  pid_t pid_ = -1;
  UniqueFd gate_;
  UniqueFd outcomes_;
};

}  // namespace iohops::lab
