#include "system/host.hpp"

#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <ctime>
#include <fstream>

namespace iohops {
namespace {

constexpr ino_t kInitialPidNamespace = 0xEFFFFFFC;  // PROC_PID_INIT_INO, include/linux/proc_ns.h

// "none [integrity] confidentiality": the one in brackets.
Lockdown read_lockdown() {
  std::ifstream file("/sys/kernel/security/lockdown");
  std::string word;
  while (file >> word) {
    if (word == "[none]") return Lockdown::kNone;
    if (word == "[integrity]") return Lockdown::kIntegrity;
    if (word == "[confidentiality]") return Lockdown::kConfidentiality;
  }
  return Lockdown::kUnknown;
}

}  // namespace

std::string_view name(Lockdown lockdown) {
  switch (lockdown) {
    case Lockdown::kNone:
      return "none";
    case Lockdown::kIntegrity:
      return "integrity";
    case Lockdown::kConfidentiality:
      return "confidentiality";
    case Lockdown::kUnknown:
      break;
  }
  return "unknown";
}

Host read_host() {
  Host host;
  utsname names = {};
  if (uname(&names) == 0) {
    host.hostname = names.nodename;
    host.kernel = names.release;
    host.machine = names.machine;
  }
  if (const long bytes = sysconf(_SC_PAGESIZE); bytes > 0)
    host.page_size = static_cast<uint32_t>(bytes);
  if (const long cpus = sysconf(_SC_NPROCESSORS_ONLN); cpus > 0)
    host.cpus = static_cast<uint32_t>(cpus);
  host.btf = access("/sys/kernel/btf/vmlinux", R_OK) == 0;
  host.lockdown = read_lockdown();
  struct stat pid_namespace = {};
  if (stat("/proc/self/ns/pid", &pid_namespace) == 0)
    host.root_pid_namespace = pid_namespace.st_ino == kInitialPidNamespace;
  return host;
}

std::string now_rfc3339() {
  timespec now = {};
  clock_gettime(CLOCK_REALTIME, &now);
  tm utc = {};
  gmtime_r(&now.tv_sec, &utc);
  char seconds[32];
  char text[48];
  strftime(seconds, sizeof seconds, "%Y-%m-%dT%H:%M:%S", &utc);
  snprintf(text, sizeof text, "%s.%09ldZ", seconds, now.tv_nsec);
  return text;
}

}  // namespace iohops
