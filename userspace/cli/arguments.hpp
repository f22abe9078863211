// Options that several subcommands share: TARGET, FILTER, COMMON. Each group is declared to the
// parser as text and checked afterwards, so that an error can say what would have been right.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/options.hpp"
#include "cli/subcommand.hpp"

namespace iohops {

class CommonArguments {
 public:
  void declare(CLI::App& app);
  Result<CommonOptions> finish(const Surroundings& surroundings) const;

 private:
  bool quiet_ = false;
  int verbosity_ = 0;
  std::string color_ = "auto";
};

class TargetArguments {
 public:
  void declare(CLI::App& app);
  // As if -a had been given, unless -p was.
  void default_to_all() { all_ = all_ || pids_.empty(); }
  Result<TargetOptions> finish(const Surroundings& surroundings) const;

 private:
  std::vector<std::string> pids_;
  bool all_ = false;
  bool follow_ = false;
};

class FilterArguments {
 public:
  // `per_request`: single requests are seen, so that their time and size can be asked for.
  void declare(CLI::App& app, bool per_request);
  Result<Filter> finish() const;

 private:
  std::vector<std::string> ops_;
  std::vector<std::string> paths_;
  std::vector<std::string> devices_;
  std::string min_latency_;
  std::string min_bytes_;
};

// Which of the requests are listed one by one.
class ThinningArguments {
 public:
  void declare(CLI::App& app);
  Result<Thinning> finish() const;

 private:
  std::string detail_ = "all";
  std::string sample_;
};

// "-d: 'x' is not a duration...": the option in front of what is wrong with its value.
Error about(const std::string& option, const Error& error);

// How a path is named in a message: "-" is stdin for an input.
std::string input_name(const std::string& path);

}  // namespace iohops
