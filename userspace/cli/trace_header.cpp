#include "cli/trace_header.hpp"

#include <algorithm>

#include "system/host.hpp"

namespace iohops {

Header trace_header(const std::vector<std::string>& command_line, std::string scope,
                    std::vector<Target> targets, const Plan& plan,
                    const std::vector<BlockDevice>& devices) {
  const Host host = read_host();
  const auto mapped = std::find_if(devices.begin(), devices.end(),
                                   [](const BlockDevice& d) { return d.device.dma && d.dma_api; });
  const auto unmapped = std::find_if(devices.begin(), devices.end(), [](const BlockDevice& d) {
    return d.device.dma && !d.dma_api;
  });
  Header header;
  header.tool_version = IOHOPS_VERSION;
  header.command_line = command_line;
  header.host = host.hostname;
  header.kernel = host.kernel;
  header.machine = host.machine;
  header.start_time = now_rfc3339();
  header.page_size = host.page_size;
  header.cpus = host.cpus;
  header.scope = std::move(scope);
  header.targets = std::move(targets);
  header.devices = model_devices(devices);
  const std::vector<Device> network = list_network_devices();
  header.devices.insert(header.devices.end(), network.begin(), network.end());
  header.light = plan.depth == Depth::kBelow;
  header.hooks = plan.hooks();
  header.missing_hooks = plan.missing();
  header.evidence = evidence_of(plan, mapped != devices.end(),
                                unmapped == devices.end() ? std::string() : unmapped->note);
  return header;
}

}  // namespace iohops
