// The calls whose price is measured: one function each, made once with what it needs open.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace bench {

struct Loop {
  const char* name;
  const char* what;
  int calls_per_look;  // calls between two readings of the clock, which costs some 30 ns
  // FILE is on the file system that is to be measured; made if it is not there. Throws.
  std::function<std::function<void()>(const std::string& file)> make;
};

const std::vector<Loop>& loops();

}  // namespace bench
