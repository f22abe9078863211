// From argv to checked options, and what is declared as data, which completion is generated from.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cli/subcommand.hpp"

namespace iohops {

struct DeclaredOption {
  std::vector<std::string> names;  // "-p", "--pid"; empty for a positional
  std::string description;
  std::string type;  // as declared; choices stand in it: "TEXT:{auto,always,never}"
  bool takes_value;
};

struct DeclaredSubcommand {
  std::string name;
  std::string description;
  bool takes_command;  // `-- CMD ARG...` may follow
  std::vector<DeclaredOption> options;
};

// The parser with all subcommands, and what each does when it was chosen (in the same order).
class Parser {
 public:
  Parser();
  ~Parser();
  std::vector<DeclaredSubcommand> declared() const;

  // argv with the program's name. Every error is kUsage (exit 2) and says what would be right.
  Result<Invocation> parse(const std::vector<std::string>& argv);

 private:
  Result<Invocation> choose(const Surroundings& surroundings);

  std::unique_ptr<CLI::App> app_;
  std::vector<Finish> finishes_;
  bool version_ = false;
};

}  // namespace iohops
