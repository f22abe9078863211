// The table of programs, true to bpf/*.bpf.c, and the choice among them.
#include "core/plan.hpp"

#include <algorithm>
#include <array>

namespace iohops {
namespace {

constexpr std::string_view kRequest = "struct request *";
constexpr std::string_view kQueueRequest = "struct request_queue *, struct request *";
constexpr std::string_view kBio = "struct bio *";
constexpr std::string_view kFolio = "struct folio *";
constexpr std::string_view kFolioMapping = "struct folio *, struct address_space *";
constexpr std::string_view kPage = "struct page *";
constexpr std::string_view kPageMapping = "struct page *, struct address_space *";
constexpr std::string_view kQueueBio = "struct request_queue *, struct bio *";
constexpr std::string_view kTask = "struct task_struct *";

constexpr std::string_view kEverything = "everything: a request begins and ends at a system call";
constexpr std::string_view kDeviceWork = "all device work: DMA, its causes, and who asked for it";
constexpr std::string_view kMissesLost = "page-cache misses and readahead";
constexpr std::string_view kDirtyLost = "how many bytes a request turned from clean to dirty";
constexpr std::string_view kWaitLost =
    "that a wait was for the writing of the request's own data";
constexpr std::string_view kSplitLost =
    "who owns the first parts of bios that are larger than the device takes";
constexpr std::string_view kInsertLost = "how long a block request waited before the I/O scheduler";
constexpr std::string_view kIssueLost =
    "when the device got a block request, and how often it was requeued";
constexpr std::string_view kFaultLost =
    "file and offset of page faults that add no page to the page cache";
constexpr std::string_view kMapLost =
    "that the DMA layer maps the memory of NVMe disks: their DMA is derived";

constexpr ProgramSpec kPrograms[] = {
    {.program = "syscall_enter",
     .tracepoint = "sys_enter",
     .arguments = "struct pt_regs *, long",
     .lost = kEverything,
     .group = "syscall_enter",
     .helper = "bpf_find_vma",
     .required = true},
    {.program = "syscall_enter_plain",
     .tracepoint = "sys_enter",
     .arguments = "struct pt_regs *, long",
     .lost = kEverything,
     .group = "syscall_enter",
     .required = true},
    {.program = "syscall_exit",
     .tracepoint = "sys_exit",
     .arguments = "struct pt_regs *, long",
     .lost = kEverything,
     .required = true},
    {.program = "syscall_leftovers",
     .tracepoint = "",
     .arguments = "",
     .lost = "requests that are still running when tracing stops",
     .helper = "bpf_for_each_map_elem"},
    {.program = "sched_switch",
     .tracepoint = "sched_switch",
     .arguments = "bool, struct task_struct *, struct task_struct *",
     .lost = "waits, off-CPU time and context switches of requests"},
    {.program = "sched_fork",
     .tracepoint = "sched_process_fork",
     .arguments = "struct task_struct *, struct task_struct *",
     .lost = "children of traced processes (-f)"},
    {.program = "sched_exec",
     .tracepoint = "sched_process_exec",
     .arguments = "struct task_struct *, _",
     .lost = "the name of a process after exec"},
    {.program = "sched_rename",
     .tracepoint = "task_rename",
     .arguments = "struct task_struct *, const char *",
     .lost = "new names of threads"},
    {.program = "sched_exit",
     .tracepoint = "sched_process_exit",
     .arguments = kTask,
     .lost = "the ends of processes, and of the requests that they died in"},
    {.program = "fault_user",
     .tracepoint = "page_fault_user",
     .arguments = "unsigned long, struct pt_regs *, unsigned long",
     .lost = "page faults on file mappings"},
    {.program = "fault_filemap",
     .tracepoint = "mm_filemap_fault",
     .arguments = "struct address_space *, unsigned long",
     .lost = kFaultLost},
    {.program = "fault_map",
     .tracepoint = "mm_filemap_map_pages",
     .arguments = "struct address_space *, unsigned long, unsigned long",
     .lost = kFaultLost},
    {.program = "cache_add",
     .tracepoint = "mm_filemap_add_to_page_cache",
     .arguments = kFolio,
     .lost = kMissesLost,
     .group = "cache_add"},
    {.program = "cache_add_page",
     .tracepoint = "mm_filemap_add_to_page_cache",
     .arguments = kPage,
     .lost = kMissesLost,
     .group = "cache_add"},
    {.program = "writeback_dirty",
     .tracepoint = "writeback_dirty_folio",
     .arguments = kFolioMapping,
     .lost = kDirtyLost,
     .group = "writeback_dirty"},
    {.program = "wb_dirty_page",
     .tracepoint = "writeback_dirty_page",
     .arguments = kPageMapping,
     .lost = kDirtyLost,
     .group = "writeback_dirty"},
    {.program = "writeback_wait",
     .tracepoint = "folio_wait_writeback",
     .arguments = kFolioMapping,
     .lost = kWaitLost,
     .group = "writeback_wait"},
    {.program = "wb_wait_page",
     .tracepoint = "wait_on_page_writeback",
     .arguments = kPageMapping,
     .lost = kWaitLost,
     .group = "writeback_wait"},
    {.program = "writeback_throttle",
     .tracepoint = "balance_dirty_pages",
     .arguments = "",
     .lost = "that a wait was ordered by the limit of dirty pages (it counts as \"other\")"},
    {.program = "block_queue",
     .tracepoint = "block_bio_queue",
     .arguments = kBio,
     .lost = kDeviceWork,
     .group = "block_queue"},
    {.program = "block_queue_q",
     .tracepoint = "block_bio_queue",
     .arguments = kQueueBio,
     .lost = kDeviceWork,
     .group = "block_queue"},
    {.program = "block_split",
     .tracepoint = "block_split",
     .arguments = kBio,
     .lost = kSplitLost,
     .group = "block_split"},
    {.program = "block_split_q",
     .tracepoint = "block_split",
     .arguments = kQueueBio,
     .lost = kSplitLost,
     .group = "block_split"},
    {.program = "block_insert",
     .tracepoint = "block_rq_insert",
     .arguments = kRequest,
     .lost = kInsertLost,
     .group = "block_insert"},
    {.program = "block_insert_q",
     .tracepoint = "block_rq_insert",
     .arguments = kQueueRequest,
     .lost = kInsertLost,
     .group = "block_insert"},
    {.program = "block_issue",
     .tracepoint = "block_rq_issue",
     .arguments = kRequest,
     .lost = kIssueLost,
     .group = "block_issue"},
    {.program = "block_issue_q",
     .tracepoint = "block_rq_issue",
     .arguments = kQueueRequest,
     .lost = kIssueLost,
     .group = "block_issue"},
    {.program = "block_complete",
     .tracepoint = "block_rq_complete",
     .arguments = "struct request *, _, unsigned int",
     .lost = kDeviceWork},
    {.program = "block_bio_done",
     .tracepoint = "block_bio_complete",
     .arguments = "struct request_queue *, struct bio *",
     .lost = "device work of drivers without requests (device-mapper, md, zram)"},
    {.program = "dma_map_page",
     .tracepoint = "dma_map_page",
     .arguments = "struct device *, phys_addr_t, dma_addr_t, size_t",
     .lost = kMapLost,
     .group = "dma_map",
     .helper = "bpf_loop",
     .dma_layer = true},
    {.program = "dma_map_phys",
     .tracepoint = "dma_map_phys",
     .arguments = "struct device *, phys_addr_t, dma_addr_t, size_t",
     .lost = kMapLost,
     .group = "dma_map",
     .helper = "bpf_loop",
     .dma_layer = true},
    {.program = "dma_map_sg",
     .tracepoint = "dma_map_sg",
     .arguments = "struct device *, struct scatterlist *, int",
     .lost = "that the DMA layer maps the lists of SCSI, SATA and USB disks: their DMA is derived",
     .helper = "bpf_loop",
     .dma_layer = true},
    {.program = "dma_iommu",
     .tracepoint = "map",
     .arguments = "unsigned long, phys_addr_t, size_t",
     .lost = "that the IOMMU maps what NVMe links past the DMA layer (6.17): its DMA is derived",
     .helper = "bpf_loop",
     .dma_layer = true},
    {.program = "dma_bounced",
     .tracepoint = "swiotlb_bounced",
     .arguments = "struct device *, dma_addr_t, size_t",
     .lost = "CPU copies through bounce buffers (swiotlb)",
     .helper = "bpf_loop",
     .dma_layer = true},
    {.program = "dma_learn",
     .tracepoint = "",
     .arguments = "",
     .lost = "the DMA evidence of mappings that are told by physical address",
     .dma_layer = true},
};

// Used by every program: without them nothing loads.
struct Essential {
  std::string_view name;
  std::string_view what;
};
constexpr Essential kEssentialHelpers[] = {
    {"bpf_ringbuf_reserve", "BPF ring buffer (Linux 5.8)"},
};
constexpr std::string_view kOptionalHelpers[] = {"bpf_find_vma", "bpf_for_each_map_elem",
                                                 "bpf_get_current_task_btf", "bpf_rdonly_cast"};

// The next comma-separated word of `list`, which loses it.
std::string_view next_word(std::string_view& list) {
  const size_t comma = list.find(',');
  const std::string_view word = list.substr(0, comma);
  list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
  const size_t begin = word.find_first_not_of(' ');
  return begin == std::string_view::npos ? std::string_view() : word.substr(begin);
}

bool arguments_fit(std::string_view wanted, const std::vector<std::string>& offered) {
  for (size_t i = 0; !wanted.empty(); ++i) {
    const std::string_view type = next_word(wanted);
    if (i >= offered.size() || (type != "_" && type != offered[i])) return false;
  }
  return true;
}

std::string join(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

// Empty: it can be used.
std::string obstacle(const ProgramSpec& spec, const Features& features) {
  if (!spec.helper.empty() && features.helpers.count(std::string(spec.helper)) == 0)
    return "this kernel has no BPF helper " + std::string(spec.helper);
  if (spec.tracepoint.empty())
    return features.program_types.count("BPF_PROG_TYPE_SYSCALL") != 0
               ? ""
               : "this kernel has no BPF programs of the type that userspace runs (Linux 5.14)";
  const auto tracepoint = features.tracepoints.find(std::string(spec.tracepoint));
  if (tracepoint == features.tracepoints.end())
    return "this kernel has no tracepoint " + std::string(spec.tracepoint);
  if (!arguments_fit(spec.arguments, tracepoint->second))
    return "its arguments are (" + join(tracepoint->second) + ") on this kernel, not (" +
           std::string(spec.arguments) + ")";
  // arm64 has declared this one since about 6.16 and fires it nowhere.
  if (spec.tracepoint == "page_fault_user" && features.machine == "aarch64")
    return "the kernel never fires it on aarch64";
  return "";
}

// By physical address: useless where dma_learn cannot tell whose page that is.
bool takes_physical_address(const PlannedProgram& program) {
  return program.dma_layer && program.program != "dma_map_sg";
}

void settle_groups(std::vector<PlannedProgram>& programs) {
  for (PlannedProgram& program : programs) {
    if (program.enabled || program.group.empty()) continue;
    program.superseded = std::any_of(
        programs.begin(), programs.end(),
        [&](const PlannedProgram& other) { return other.enabled && other.group == program.group; });
  }
}

std::string name_of(const PlannedProgram& program) {
  return program.tracepoint.empty() ? program.program : program.tracepoint;
}

}  // namespace

std::span<const ProgramSpec> program_table() { return kPrograms; }

bool Plan::enabled(std::string_view program) const {
  return std::any_of(programs.begin(), programs.end(), [&](const PlannedProgram& planned) {
    return planned.enabled && planned.program == program;
  });
}

bool Plan::attached(std::string_view tracepoint) const {
  return std::any_of(programs.begin(), programs.end(), [&](const PlannedProgram& planned) {
    return planned.enabled && planned.tracepoint == tracepoint;
  });
}

void Plan::disable(std::string_view program, std::string reason) {
  for (PlannedProgram& planned : programs) {
    if (planned.program != program) continue;
    planned.enabled = false;
    planned.superseded = false;
    planned.reason = std::move(reason);
    settle_groups(programs);
    if (planned.required && !planned.superseded)
      blockers.push_back(name_of(planned) + ": " + planned.reason);
    return;
  }
}

bool Plan::watches_dma() const {
  return std::any_of(programs.begin(), programs.end(), [](const PlannedProgram& planned) {
    return planned.dma_layer && planned.enabled && !planned.tracepoint.empty();
  });
}

void Plan::leave_dma_out() {
  for (PlannedProgram& planned : programs) {
    if (!planned.dma_layer) continue;
    planned.enabled = false;
    planned.superseded = true;
  }
}

void Plan::disable_physical_addresses(const std::string& reason) {
  for (PlannedProgram& planned : programs) {
    if (!planned.enabled || !takes_physical_address(planned)) continue;
    planned.enabled = false;
    planned.reason = reason;
  }
}

std::vector<std::string> Plan::hooks() const {
  std::set<std::string> names;
  for (const PlannedProgram& program : programs)
    if (program.enabled && !program.tracepoint.empty()) names.insert(program.tracepoint);
  return {names.begin(), names.end()};
}

std::vector<MissingHook> Plan::missing() const {
  std::vector<MissingHook> missing;
  for (const PlannedProgram& program : programs) {
    if (program.enabled || program.superseded) continue;
    const std::string name = name_of(program);
    const bool listed = std::any_of(missing.begin(), missing.end(),
                                    [&](const MissingHook& hook) { return hook.hook == name; });
    if (!listed) missing.push_back({name, program.reason, program.lost});
  }
  return missing;
}

Plan make_plan(const Features& features) {
  Plan plan;
  for (const Essential& essential : kEssentialHelpers)
    if (features.helpers.count(std::string(essential.name)) == 0)
      plan.blockers.push_back("this kernel has no " + std::string(essential.what));
  for (std::string_view helper : kOptionalHelpers)
    if (features.helpers.count(std::string(helper)) != 0) plan.helpers.emplace(helper);

  std::set<std::pair<std::string_view, std::string_view>> taken;  // group, tracepoint
  for (const ProgramSpec& spec : kPrograms) {
    PlannedProgram program;
    program.program = spec.program;
    program.tracepoint = spec.tracepoint;
    program.group = spec.group;
    program.required = spec.required;
    program.dma_layer = spec.dma_layer;
    program.lost = spec.lost;
    program.reason = obstacle(spec, features);
    program.enabled = program.reason.empty() &&
                      (spec.group.empty() || taken.emplace(spec.group, spec.tracepoint).second);
    plan.programs.push_back(std::move(program));
  }
  settle_groups(plan.programs);
  std::set<std::string> named;  // variants stand for one hook
  for (const PlannedProgram& program : plan.programs)
    if (program.required && !program.enabled && !program.superseded &&
        named.insert(name_of(program)).second)
      plan.blockers.push_back(name_of(program) + ": " + program.reason);
  return plan;
}

}  // namespace iohops
