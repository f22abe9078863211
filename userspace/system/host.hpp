// Facts about the machine and kernel that a trace's header and doctor state.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace iohops {

enum class Lockdown : uint8_t { kUnknown, kNone, kIntegrity, kConfidentiality };
std::string_view name(Lockdown);

struct Host {
  std::string hostname;
  std::string kernel;   // uname release
  std::string machine;  // uname machine
  uint32_t page_size = 4096;
  uint32_t cpus = 1;                       // online
  bool btf = false;                        // /sys/kernel/btf/vmlinux can be read
  Lockdown lockdown = Lockdown::kUnknown;  // unknown: securityfs is not mounted or not readable
  bool root_pid_namespace = true;          // PIDs here are the kernel's own
};

Host read_host();

// Wall clock now, RFC 3339 in UTC with nanoseconds.
std::string now_rfc3339();

}  // namespace iohops
