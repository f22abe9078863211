// How well each figure can be known with a plan, and what keeps it from being known better.
#include <map>
#include <string>
#include <utility>

#include "core/plan.hpp"

namespace iohops {
namespace {

using Grades = std::map<std::string, std::pair<Evidence, std::string>>;

bool any_enabled(const Plan& plan, std::initializer_list<std::string_view> programs) {
  for (std::string_view program : programs)
    if (plan.enabled(program)) return true;
  return false;
}

std::string without(std::string_view hook, const Plan& plan) {
  for (const PlannedProgram& program : plan.programs)
    if (program.program == hook) return "without " + program.tracepoint + ": " + program.reason;
  return "";
}

void grade_dma(const Plan& plan, bool dma_api, std::string_view dma_note, Grades& grades) {
  if (!plan.attached("block_bio_queue")) {
    grades["dma"] = {Evidence::kInferred, without("block_queue", plan)};
  } else if (!plan.enabled("block_complete")) {
    grades["dma"] = {Evidence::kInferred, without("block_complete", plan)};
  } else if (!dma_api) {
    grades["dma"] = {Evidence::kDerived,
                     "bytes of the block request; " +
                         (dma_note.empty() ? std::string("no device here uses the DMA API")
                                           : std::string(dma_note))};
  } else if (!any_enabled(plan, {"dma_map_phys", "dma_map_page", "dma_map_sg"})) {
    grades["dma"] = {Evidence::kDerived,
                     "bytes of the block request; " + without("dma_map_sg", plan)};
  } else {
    grades["dma"] = {Evidence::kObserved, std::string(dma_note)};
  }
}

void grade_copies(const Plan& plan, Grades& grades) {
  const std::string why = plan.why_not_measured();
  const auto grade = [&](bool measured) {
    return measured ? std::pair(Evidence::kMeasured, std::string())
                    : std::pair(Evidence::kDerived, "from the result and the kind of file: " + why);
  };
  grades["cpu_copies"] = grade(plan.measured.files);
  grades["cpu_copies_pipes"] = grade(plan.measured.pipes);
  grades["cpu_copies_sockets"] = grade(plan.measured.sockets);
  if (!any_enabled(plan, {"dma_bounced", "bounced_plain"})) return;
  if (plan.enabled("bounce_copy"))
    grades["cpu_copies_bounced"] = {Evidence::kMeasured, ""};
  else
    grades["cpu_copies_bounced"] = {Evidence::kDerived,
                                    "from what is mapped: " + without("bounce_copy", plan)};
}

}  // namespace

Grades evidence_of(const Plan& plan, bool dma_api, std::string_view dma_note) {
  Grades grades;
  if (plan.depth == Depth::kRequests) {
    grades["mode_switches"] = {Evidence::kObserved, ""};
    grade_copies(plan, grades);
  }
  grade_dma(plan, dma_api, dma_note, grades);
  if (plan.attached("mm_filemap_add_to_page_cache"))
    grades["page_cache"] = {Evidence::kObserved, ""};
  else
    grades["page_cache"] = {Evidence::kInferred, without("cache_add", plan)};
  if (plan.enabled("sched_switch")) grades["off_cpu"] = {Evidence::kObserved, ""};
  if (plan.enabled("fault_user") || plan.enabled("fault_sampled"))
    grades["page_faults"] = {Evidence::kObserved,
                             "their end is their last event: nothing marks the return"};
  if (plan.attached("block_bio_queue"))
    grades["writeback"] = {Evidence::kDerived,
                           "from the ranges that the traced requests wrote: the kernel does not "
                           "keep the writers of a page"};
  return grades;
}

}  // namespace iohops
