#include "system/privileges.hpp"

#include <sys/capability.h>
#include <sys/stat.h>
#include <unistd.h>

#include <climits>
#include <memory>
#include <type_traits>

namespace iohops {
namespace {

// Since Linux 5.8 CAP_SYS_ADMIN stands for the first two as well.
constexpr cap_value_t kNeeded[] = {CAP_BPF, CAP_PERFMON};
// For the names of files and the processes of other users.
constexpr cap_value_t kWanted[] = {CAP_DAC_READ_SEARCH, CAP_SYS_PTRACE};

constexpr ino_t kInitialUserNamespace = 0xEFFFFFFD;  // PROC_USER_INIT_INO, include/linux/proc_ns.h

struct CapFree {
  void operator()(void* p) const { cap_free(p); }
};
using Caps = std::unique_ptr<std::remove_pointer_t<cap_t>, CapFree>;

bool effective(const Caps& caps, cap_value_t cap) {
  cap_flag_value_t value = CAP_CLEAR;
  return caps && cap_get_flag(caps.get(), cap, CAP_EFFECTIVE, &value) == 0 && value == CAP_SET;
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
  const bool admin = effective(caps, CAP_SYS_ADMIN);
  Privileges privileges;
  for (cap_value_t cap : kNeeded)
    if (!admin && !effective(caps, cap)) privileges.missing.push_back(upper_name(cap));
  for (cap_value_t cap : kWanted)
    if (!effective(caps, cap)) privileges.wanted.push_back(upper_name(cap));
  struct stat user_namespace = {};
  privileges.user_namespace = stat("/proc/self/ns/user", &user_namespace) == 0 &&
                              user_namespace.st_ino != kInitialUserNamespace;
  privileges.all =
      !privileges.user_namespace && privileges.missing.empty() && privileges.wanted.empty();
  return privileges;
}

std::string setcap_line() {
  char path[PATH_MAX];
  const ssize_t length = readlink("/proc/self/exe", path, sizeof path);
  const std::string self =
      length > 0 ? std::string(path, static_cast<size_t>(length)) : std::string("iohops");
  return "sudo setcap cap_bpf,cap_perfmon,cap_dac_read_search,cap_sys_ptrace+ep " + quoted(self);
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

}  // namespace iohops
