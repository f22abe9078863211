// Capabilities: which of those that tracing needs this process has, the lines that give them, and
// how they are held: idle until they are needed, gone as soon as they are not.
//
// A process that was not started by root (setcap, ambient capabilities) begins with
// lower_privileges(): what it may do is permitted but not in effect, so that a path which the
// caller names is opened with the caller's own rights. RaisedPrivileges puts it into effect for
// looking up targets and loading programs; give_up_privileges() ends it, for root too. Capabilities
// belong to threads: there is only one until then.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/result.hpp"

namespace iohops {

struct Privileges {
  std::vector<std::string> missing;  // needed to trace, not permitted: "CAP_BPF", ...
  std::vector<std::string> wanted;   // helpful only, not permitted
  bool all = false;                  // everything that tracing uses is there
  // We are in a user namespace below the first (a rootless container): capabilities there are no
  // capabilities towards BPF.
  bool user_namespace = false;
};

Privileges read_privileges();

// What is missing and the lines that fix it; ok when nothing is. Exit code 4.
Status check_privileges();

// Some kernels want CAP_SYS_ADMIN for uprobes.
bool may_probe_programs();

// "sudo setcap ...+ep /path/of/this/executable", quoted for a shell.
std::string setcap_line();

// Why the kernel may have refused memory to BPF (EPERM) though check_privileges() is content: before
// Linux 5.11 it counts as locked memory, whose limit only CAP_SYS_RESOURCE may raise. nullopt: that is not it.
struct MemoryLimit {
  std::string reason;
  std::string fix;  // a line for a shell
};
std::optional<MemoryLimit> memory_limit();

// Nothing for root, who needs them to write into the home of the user behind sudo.
void lower_privileges();

class RaisedPrivileges {
 public:
  RaisedPrivileges();
  ~RaisedPrivileges();
  RaisedPrivileges(const RaisedPrivileges&) = delete;
  RaisedPrivileges& operator=(const RaisedPrivileges&) = delete;

 private:
  bool lowered_;
};

// Every capability, of all sets, for good; nothing that is executed gives one back. Kernels
// before 5.19 refuse every bpf(2) call without CAP_BPF where kernel.unprivileged_bpf_disabled is
// set, that of a map which is open already included: if `maps_answer` says no without it, CAP_BPF
// alone stays.
Status give_up_privileges(const std::function<bool()>& maps_answer);

}  // namespace iohops
