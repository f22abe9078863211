#include "cli/streams.hpp"

#include <sys/stat.h>

#include <set>
#include <utility>

#include "cli/arguments.hpp"
#include "system/privileges.hpp"

namespace iohops {

Result<std::vector<std::string>> stream_libraries(const std::vector<TargetProcess>& targets) {
  std::vector<uint32_t> pids;
  pids.reserve(targets.size());
  for (const TargetProcess& target : targets) pids.push_back(target.pid);
  if (pids.empty()) pids.push_back(0);
  std::vector<std::string> libraries;
  std::set<std::pair<dev_t, ino_t>> seen;
  for (const uint32_t pid : pids) {
    Result<std::string> library = c_library_of(pid);
    if (!library) return about("--stdio", library.error());
    struct stat facts {};
    if (stat(library->c_str(), &facts) != 0 || seen.emplace(facts.st_dev, facts.st_ino).second)
      libraries.push_back(std::move(*library));
  }
  return libraries;
}

Error no_streams(const Plan& plan) {
  std::string reason;
  for (const MissingHook& hook : plan.missing())
    if (hook.hook == kStreams) reason = hook.reason;
  if (may_probe_programs()) return {ErrorKind::kKernel, "--stdio: " + reason};
  return {ErrorKind::kPermission,
          "--stdio: " + reason +
              " (this kernel wants CAP_SYS_ADMIN for it: run it with sudo, or leave "
              "--stdio out)"};
}

}  // namespace iohops
