// The diagnosis as one JSON document, for scripts.
#include <nlohmann/json.hpp>
#include <string>

#include "cli/diagnosis.hpp"

namespace iohops {
namespace {

using nlohmann::ordered_json;

ordered_json hooks_json(const Plan& plan) {
  ordered_json hooks = ordered_json::array();
  for (const PlannedProgram& program : plan.programs) {
    if (program.superseded) continue;
    ordered_json hook = {{"program", program.program},
                         {"hook", program.tracepoint},
                         {"required", program.required},
                         {"available", program.enabled}};
    if (!program.enabled) hook["reason"] = program.reason;
    hook["effect"] = program.lost;
    hooks.push_back(std::move(hook));
  }
  return hooks;
}

ordered_json devices_json(const std::vector<BlockDevice>& devices) {
  ordered_json list = ordered_json::array();
  for (const BlockDevice& block : devices) {
    const uint32_t id = block.device.id;
    ordered_json device = {{"id", std::to_string(id >> 20) + ":" + std::to_string(id & 0xfffff)},
                           {"name", block.device.name},
                           {"driver", block.device.driver},
                           {"dma", block.device.dma},
                           {"dma_api", block.dma_api},
                           {"logical_block_size", block.device.logical_block_size}};
    if (!block.note.empty()) device["note"] = block.note;
    list.push_back(std::move(device));
  }
  return list;
}

}  // namespace

std::string diagnosis_json(const Diagnosis& d) {
  ordered_json evidence = ordered_json::object();
  for (const auto& [figure, grade] : d.evidence)
    evidence[figure] = {{"evidence", name(grade.first)}, {"reason", grade.second}};
  ordered_json fixes = ordered_json::array();
  for (const Fix& fix : d.fixes) fixes.push_back({{"problem", fix.problem}, {"fix", fix.line}});
  ordered_json document = {
      {"type", "doctor"},
      {"tool_version", IOHOPS_VERSION},
      {"possible", d.possible()},
      {"exit_code", d.exit_code()},
      {"error", d.error ? ordered_json(d.error->message) : ordered_json(nullptr)},
      {"kernel", d.host.kernel},
      {"machine", d.host.machine},
      {"page_size", d.host.page_size},
      {"btf", d.host.btf},
      {"lockdown", name(d.host.lockdown)},
      {"root_pid_namespace", d.host.root_pid_namespace},
      {"capabilities",
       {{"missing", d.privileges.missing},
        {"wanted", d.privileges.wanted},
        {"user_namespace", d.privileges.user_namespace}}},
      {"trial", {{"done", d.tried}, {"milliseconds", d.trial_ms}}},
      {"hooks", hooks_json(d.plan)},
      {"evidence", std::move(evidence)},
      {"devices", devices_json(d.devices)},
      {"fixes", std::move(fixes)}};
  // Names may be any bytes: what is no UTF-8 is replaced.
  return document.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace iohops
