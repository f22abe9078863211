#include "system/privileges.hpp"

#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>
#include <memory>
#include <type_traits>

namespace iohops {
namespace {

// Since Linux 5.8 CAP_SYS_ADMIN stands for the first two as well.
constexpr cap_value_t kNeeded[] = {CAP_BPF, CAP_PERFMON};
// For processes of other users that /proc hides (hidepid). Not CAP_DAC_READ_SEARCH: nothing that
// tracing reads is closed to others (types, sysfs, /proc/PID/stat), and names of files come from
// the kernel side.
constexpr cap_value_t kWanted[] = {CAP_SYS_PTRACE};

constexpr ino_t kInitialUserNamespace = 0xEFFFFFFD;  // PROC_USER_INIT_INO, include/linux/proc_ns.h

struct CapFree {
  void operator()(void* p) const { cap_free(p); }
};
using Caps = std::unique_ptr<std::remove_pointer_t<cap_t>, CapFree>;

bool permitted(const Caps& caps, cap_value_t cap) {
  cap_flag_value_t value = CAP_CLEAR;
  return caps && cap_get_flag(caps.get(), cap, CAP_PERMITTED, &value) == 0 && value == CAP_SET;
}

Error cannot_give_up() {
  return {ErrorKind::kRuntime,
          std::string("cannot give up the capabilities (capset): ") + std::strerror(errno)};
}

std::string upper_name(cap_value_t cap) {
  const std::unique_ptr<char, CapFree> name(cap_to_name(cap));
  std::string upper = name ? name.get() : "?";
  for (char& c : upper) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  return upper;
}

// As a shell word.
std::string quoted(const std::string& word) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+:@%,=";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) return word;
  std::string text = "'";
  for (char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

}  // namespace

Privileges read_privileges() {
  const Caps caps(cap_get_proc());
  const bool admin = permitted(caps, CAP_SYS_ADMIN);
  Privileges privileges;
  for (cap_value_t cap : kNeeded)
    if (!admin && !permitted(caps, cap)) privileges.missing.push_back(upper_name(cap));
  for (cap_value_t cap : kWanted)
    if (!permitted(caps, cap)) privileges.wanted.push_back(upper_name(cap));
  struct stat user_namespace = {};
  privileges.user_namespace = stat("/proc/self/ns/user", &user_namespace) == 0 &&
                              user_namespace.st_ino != kInitialUserNamespace;
  privileges.all =
      !privileges.user_namespace && privileges.missing.empty() && privileges.wanted.empty();
  return privileges;
}

bool may_probe_programs() { return permitted(Caps(cap_get_proc()), CAP_SYS_ADMIN); }

std::string setcap_line() {
  char path[PATH_MAX];
  const ssize_t length = readlink("/proc/self/exe", path, sizeof path);
  const std::string self =
      length > 0 ? std::string(path, static_cast<size_t>(length)) : std::string("iohops");
  return "sudo setcap cap_bpf,cap_perfmon,cap_sys_ptrace+ep " + quoted(self);
}

std::optional<MemoryLimit> memory_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ||
      permitted(Caps(cap_get_proc()), CAP_SYS_RESOURCE))
    return std::nullopt;
  return MemoryLimit{"before Linux 5.11 memory of BPF counts as locked memory, of which this process may have " +
                         std::to_string(limit.rlim_cur >> 10) + " KiB",
                     "ulimit -l unlimited"};
}

Status check_privileges() {
  const Privileges privileges = read_privileges();
  if (privileges.user_namespace)
    return Error{ErrorKind::kPermission,
                 "cannot trace: this process is in a user namespace (a rootless container?), whose "
                 "capabilities do not reach the kernel's BPF. Run iohops on the host"};
  if (privileges.missing.empty()) return {};
  const bool both = privileges.missing.size() == 2;
  const std::string lacking =
      both ? "you have neither" : "you do not have " + privileges.missing.front();
  return Error{ErrorKind::kPermission, "cannot trace: this needs CAP_BPF and CAP_PERFMON, " +
                                           lacking + ". Run it with sudo, or once:\n  " +
                                           setcap_line()};
}

void lower_privileges() {
  if (geteuid() == 0) return;
  const Caps caps(cap_get_proc());
  if (caps && cap_clear_flag(caps.get(), CAP_EFFECTIVE) == 0) cap_set_proc(caps.get());
}

RaisedPrivileges::RaisedPrivileges() : lowered_(geteuid() != 0) {
  if (!lowered_) return;
  const Caps caps(cap_get_proc());
  if (!caps) return;
  for (cap_value_t cap = 0; cap <= CAP_LAST_CAP; ++cap)
    if (permitted(caps, cap)) cap_set_flag(caps.get(), CAP_EFFECTIVE, 1, &cap, CAP_SET);
  cap_set_proc(caps.get());  // if that is refused, so is the load, and says so
}

RaisedPrivileges::~RaisedPrivileges() {
  if (lowered_) lower_privileges();
}

Status give_up_privileges(const std::function<bool()>& maps_answer) {
  // A command of ours has forked already, and keeps what it was given.
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return cannot_give_up();
  const Caps before(cap_get_proc());
  const Caps none(cap_init());
  if (!before || !none) return cannot_give_up();
  const cap_value_t one = permitted(before, CAP_BPF) ? CAP_BPF : CAP_SYS_ADMIN;
  // Permitted only: out of effect, and can be taken back.
  const Caps idle(cap_init());
  if (!idle || cap_set_flag(idle.get(), CAP_PERMITTED, 1, &one, CAP_SET) != 0)
    return cannot_give_up();
  if (cap_set_proc(idle.get()) != 0) return cannot_give_up();
  if (maps_answer()) return cap_set_proc(none.get()) == 0 ? Status{} : Status{cannot_give_up()};
  cap_set_flag(idle.get(), CAP_EFFECTIVE, 1, &one, CAP_SET);
  return cap_set_proc(idle.get()) == 0 ? Status{} : Status{cannot_give_up()};
}

}  // namespace iohops
