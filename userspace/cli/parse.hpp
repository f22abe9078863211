// From argv to checked options, and the tree of subcommands that completion is generated from.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "cli/subcommand.hpp"

namespace iohops {

std::span<const Subcommand> subcommands();

// The parser with all subcommands, and what each does when it was chosen (in the same order).
class Parser {
 public:
  Parser();
  ~Parser();
  CLI::App& app() { return *app_; }

  // argv with the program's name. Every error is kUsage (exit 2) and says what would be right.
  Result<Invocation> parse(const std::vector<std::string>& argv);

 private:
  Result<Invocation> choose(const Surroundings& surroundings);

  std::unique_ptr<CLI::App> app_;
  std::vector<Finish> finishes_;
  bool version_ = false;
};

}  // namespace iohops
