#include "cli/diagnosis.hpp"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <memory>

#include "system/features.hpp"
#include "system/privileges.hpp"
#include "system/session.hpp"

namespace iohops {
namespace {

void try_programs(Diagnosis& diagnosis) {
  SessionOptions options;
  options.all = true;  // never armed: nothing is recorded
  options.ring_bytes = 4096;
  options.devices = diagnosis.devices;
  const auto begin = std::chrono::steady_clock::now();
  Result<std::unique_ptr<Session>> session = Session::load(options, diagnosis.plan);
  if (!session) {
    diagnosis.error = session.error();
    return;
  }
  if (Status attached = (*session)->attach(diagnosis.plan); !attached) {
    diagnosis.error = attached.error();
    return;
  }
  diagnosis.tried = true;
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
  diagnosis.trial_ms = took.count();
}

std::string join(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

void fix_privileges(Diagnosis& diagnosis) {
  const Privileges& privileges = diagnosis.privileges;
  if (privileges.user_namespace)
    diagnosis.fixes.push_back(
        {"capabilities end at this user namespace", "run iohops on the host"});
  else if (!privileges.missing.empty())
    diagnosis.fixes.push_back({"missing " + join(privileges.missing), setcap_line()});
  else if (const auto limit = memory_limit(); limit && diagnosis.error && diagnosis.error->kind == ErrorKind::kPermission)
    diagnosis.fixes.push_back({limit->reason, limit->fix});
  else if (!privileges.wanted.empty())
    diagnosis.fixes.push_back(
        {"without " + join(privileges.wanted) +
             " processes of other users cannot be looked up where /proc hides them (hidepid)",
         setcap_line()});
}

void fix_kernel(Diagnosis& diagnosis) {
  if (!diagnosis.host.btf)
    diagnosis.fixes.push_back({"the kernel has no type information",
                               "build or install a kernel with CONFIG_DEBUG_INFO_BTF=y"});
  const bool refused = diagnosis.error && !diagnosis.plan.programs.empty();
  if (refused && diagnosis.host.lockdown == Lockdown::kConfidentiality)
    diagnosis.fixes.push_back({"lockdown forbids BPF programs to read kernel memory",
                               "boot with lockdown=integrity on the kernel command line"});
  if (diagnosis.host.lockdown == Lockdown::kUnknown)
    diagnosis.fixes.push_back({"the lockdown state cannot be read",
                               "sudo mount -t securityfs securityfs /sys/kernel/security"});
  if (!diagnosis.host.root_pid_namespace)
    diagnosis.fixes.push_back({"process numbers here are not the kernel's: -p cannot work",
                               "run iohops on the host, or the container with --pid=host"});
  std::ifstream stats("/proc/sys/kernel/bpf_stats_enabled");
  int enabled = 1;
  if (stats >> enabled && enabled == 0 && diagnosis.possible())
    diagnosis.fixes.push_back({"the run time of the BPF programs is not measured",
                               "sudo sysctl kernel.bpf_stats_enabled=1"});
}

}  // namespace

Diagnosis diagnose() {
  Diagnosis diagnosis;
  diagnosis.host = read_host();
  diagnosis.privileges = read_privileges();
  const RaisedPrivileges raised;
  diagnosis.devices = list_block_devices();
  Result<Features> features = read_features();
  if (features) {
    diagnosis.plan = make_plan(*features);
    if (!diagnosis.plan.possible())
      diagnosis.error = Error{ErrorKind::kKernel, "cannot trace: " + join(diagnosis.plan.blockers)};
  } else {
    diagnosis.error = features.error();
  }
  if (Status allowed = check_privileges(); !allowed) {
    if (!diagnosis.error) diagnosis.error = allowed.error();
  } else if (!diagnosis.error) {
    try_programs(diagnosis);
  }
  const auto& devices = diagnosis.devices;
  const auto mapped = std::find_if(devices.begin(), devices.end(),
                                   [](const BlockDevice& d) { return d.device.dma && d.dma_api; });
  const auto unmapped = std::find_if(devices.begin(), devices.end(), [](const BlockDevice& d) {
    return d.device.dma && !d.dma_api;
  });
  if (features)
    diagnosis.evidence = evidence_of(diagnosis.plan, mapped != devices.end(),
                                     unmapped == devices.end() ? "" : unmapped->note);
  fix_privileges(diagnosis);
  fix_kernel(diagnosis);
  return diagnosis;
}

}  // namespace iohops
