// The budget: how many instructions the verifier may walk for a program before somebody has to
// look. Sees a table in a file and the name of this kernel; loads nothing.
#pragma once

#include <map>
#include <string>

namespace iohops {

// A tenth of what the verifier walks before it gives up: what another kernel or compiler adds to a
// program that needs more than this may be too much.
constexpr unsigned kMostInstructions = 100'000;
// Above its row by more than a fifth, a program has grown; by fewer instructions than this, never.
constexpr double kGrowth = 1.2;
constexpr unsigned kSlack = 250;

// Series and who built it: "6.1-debian", "6.18-fc"; elsewhere than on x86-64 with the machine. The
// same series of another vendor has other patches and another configuration, so other programs
// after CO-RE.
std::string kernel_name();

// budget.tsv: a row for each program, a column for each KERNEL/CLANG.
class Budget {
 public:
  // An empty path: no table, every program has only the common limit.
  static Budget read(const std::string& path);

  // Why this is too much, or nothing. `column`: "6.1-debian/14".
  std::string objection(const std::string& program, const std::string& column,
                        unsigned instructions) const;

 private:
  std::map<std::string, std::map<std::string, unsigned>> rows_;  // program, column
};

}  // namespace iohops
