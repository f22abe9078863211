// What doctor finds out: the host, our privileges, the plan after a trial load, the devices.
// Passive data, and the one function that gathers it; printing is elsewhere.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/plan.hpp"
#include "core/result.hpp"
#include "system/devices.hpp"
#include "system/host.hpp"
#include "system/privileges.hpp"

namespace iohops {

struct Fix {
  std::string problem;
  std::string line;  // to be typed as it stands, or what to do where no line can
};

struct Diagnosis {
  Host host;
  Privileges privileges;
  std::optional<Error> error;  // why tracing is not possible; its kind is the exit code
  Plan plan;                   // empty without BTF
  bool tried = false;          // the programs were loaded and attached for a moment
  double trial_ms = 0;         // how long that took
  std::vector<BlockDevice> devices;
  std::map<std::string, std::pair<Evidence, std::string>> evidence;
  std::vector<Fix> fixes;

  bool possible() const { return !error; }
  int exit_code() const { return error ? error->exit_code() : 0; }
};

// Loads and attaches every program if it may, and takes them away at once; nothing is traced.
Diagnosis diagnose();

std::string diagnosis_text(const Diagnosis& diagnosis, bool list_hooks, bool color, size_t width);
std::string diagnosis_json(const Diagnosis& diagnosis);  // one document, ends in a newline

}  // namespace iohops
