// Which programs a kernel gets, told by kernels as they were and are.
#include "core/plan.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

namespace iohops {
namespace {

using Types = std::vector<std::string>;

// Prototypes as in the BTF of Linux 6.18 on x86_64.
Features linux_6_18() {
  const Types task = {"struct task_struct *"};
  const Types folio_mapping = {"struct folio *", "struct address_space *"};
  Features features;
  features.machine = "x86_64";
  features.helpers = {"bpf_get_current_task_btf", "bpf_ringbuf_reserve", "bpf_find_vma",
                      "bpf_for_each_map_elem", "bpf_loop"};
  features.program_types = {"BPF_PROG_TYPE_SYSCALL"};
  features.tracepoints = {
      {"sys_enter", {"struct pt_regs *", "long"}},
      {"sys_exit", {"struct pt_regs *", "long"}},
      {"sched_switch", {"bool", "struct task_struct *", "struct task_struct *", "unsigned int"}},
      {"sched_process_fork", {"struct task_struct *", "struct task_struct *"}},
      {"sched_process_exec", {"struct task_struct *", "pid_t", "struct linux_binprm *"}},
      {"sched_process_exit", {"struct task_struct *", "bool"}},
      {"task_rename", {"struct task_struct *", "const char *"}},
      {"page_fault_user", {"unsigned long", "struct pt_regs *", "unsigned long"}},
      {"mm_filemap_fault", {"struct address_space *", "unsigned long"}},
      {"mm_filemap_map_pages", {"struct address_space *", "unsigned long", "unsigned long"}},
      {"mm_filemap_add_to_page_cache", {"struct folio *"}},
      {"writeback_dirty_folio", folio_mapping},
      {"folio_wait_writeback", folio_mapping},
      {"balance_dirty_pages", {"struct bdi_writeback *", "struct dirty_throttle_control *"}},
      {"block_bio_queue", {"struct bio *"}},
      {"net_dev_start_xmit", {"const struct sk_buff *", "const struct net_device *"}},
      {"skb_copy_datagram_iovec", {"const struct sk_buff *", "int"}},
      {"io_uring_submit_req", {"struct io_kiocb *"}},
      {"io_uring_queue_async_work", {"struct io_kiocb *", "int"}},
      {"io_uring_complete", {"struct io_ring_ctx *", "void *", "struct io_uring_cqe *"}},
      {"iomap_dio_rw_begin", {"struct kiocb *", "struct iov_iter *", "unsigned int", "size_t"}},
      {"iomap_dio_complete", {"struct kiocb *", "int", "ssize_t"}},
      {"block_split", {"struct bio *", "unsigned int"}},
      {"block_rq_insert", {"struct request *"}},
      {"block_rq_issue", {"struct request *"}},
      {"block_rq_complete", {"struct request *", "blk_status_t", "unsigned int"}},
      {"block_bio_complete", {"struct request_queue *", "struct bio *"}},
      {"dma_map_phys",
       {"struct device *", "phys_addr_t", "dma_addr_t", "size_t", "enum dma_data_direction",
        "unsigned long"}},
      {"dma_map_sg",
       {"struct device *", "struct scatterlist *", "int", "int", "enum dma_data_direction",
        "unsigned long"}},
      {"swiotlb_bounced", {"struct device *", "dma_addr_t", "size_t"}},
      {"map", {"unsigned long", "phys_addr_t", "size_t"}},
  };
  return features;
}

const PlannedProgram& program(const Plan& plan, std::string_view name) {
  for (const PlannedProgram& p : plan.programs)
    if (p.program == name) return p;
  static const PlannedProgram none;
  ADD_FAILURE() << "no program " << name;
  return none;
}

bool is_missing(const Plan& plan, std::string_view hook) {
  const auto missing = plan.missing();
  return std::any_of(missing.begin(), missing.end(),
                     [&](const MissingHook& m) { return m.hook == hook; });
}

TEST(Plan, a_new_kernel_gets_everything) {
  const Plan plan = make_plan(linux_6_18());
  EXPECT_TRUE(plan.possible());
  for (const PlannedProgram& p : plan.programs)
    EXPECT_TRUE(p.enabled || p.superseded) << p.program << ": " << p.reason;
  EXPECT_TRUE(plan.missing().empty());
  EXPECT_TRUE(plan.uses("bpf_find_vma"));
}

TEST(Plan, every_program_says_what_is_lost_without_it) {
  std::set<std::string_view> names;
  for (const ProgramSpec& spec : program_table()) {
    EXPECT_FALSE(spec.lost.empty()) << spec.program;
    // The kernel shows the first 15 characters.
    EXPECT_TRUE(names.insert(spec.program.substr(0, 15)).second) << spec.program;
  }
}

TEST(Plan, the_variant_is_chosen_by_prototype_and_not_by_version) {
  Features old_block = linux_6_18();
  const Types with_queue = {"struct request_queue *", "struct request *"};
  old_block.tracepoints["block_rq_insert"] = with_queue;
  old_block.tracepoints["block_rq_issue"] = with_queue;
  const Plan plan = make_plan(old_block);
  EXPECT_FALSE(plan.enabled("block_issue"));
  EXPECT_TRUE(program(plan, "block_issue").superseded);
  EXPECT_TRUE(plan.enabled("block_issue_q"));
  EXPECT_FALSE(is_missing(plan, "block_rq_issue"));
}

// As in Debian's 5.10.223: later prototypes of block_rq_*, earlier ones of everything else.
TEST(Plan, linux_5_10_gets_variants_of_everything_that_it_fires) {
  Features features = linux_6_18();
  features.helpers = {"bpf_ringbuf_reserve"};
  features.program_types.clear();
  const Types page_mapping = {"struct page *", "struct address_space *"};
  for (const char* later : {"mm_filemap_fault", "mm_filemap_map_pages", "writeback_dirty_folio",
                            "folio_wait_writeback", "dma_map_phys", "dma_map_sg"})
    features.tracepoints.erase(later);
  features.tracepoints["writeback_dirty_page"] = page_mapping;
  features.tracepoints["wait_on_page_writeback"] = page_mapping;
  features.tracepoints["mm_filemap_add_to_page_cache"] = {"struct page *"};
  features.tracepoints["block_bio_queue"] = {"struct request_queue *", "struct bio *"};
  features.tracepoints["block_split"] = {"struct request_queue *", "struct bio *", "unsigned int"};
  const Plan plan = make_plan(features);
  EXPECT_TRUE(plan.possible());
  for (const char* variant : {"syscall_enter_plain", "cache_add_page", "wb_dirty_page",
                              "wb_wait_page", "block_queue_q", "block_split_q"})
    EXPECT_TRUE(plan.enabled(variant)) << variant;
  for (const char* other : {"syscall_enter", "cache_add", "block_queue", "block_split"})
    EXPECT_TRUE(program(plan, other).superseded) << other;
  EXPECT_TRUE(plan.attached("block_bio_queue"));
  EXPECT_FALSE(is_missing(plan, "sys_enter"));
}

TEST(Plan, a_prototype_that_no_variant_reads_is_named) {
  Features odd = linux_6_18();
  odd.tracepoints["block_rq_issue"] = {"struct blk_request *"};
  odd.tracepoints["mm_filemap_add_to_page_cache"] = {"struct pages *"};
  const Plan plan = make_plan(odd);
  EXPECT_TRUE(plan.possible());
  EXPECT_TRUE(is_missing(plan, "block_rq_issue"));
  EXPECT_FALSE(plan.enabled("cache_add"));
  EXPECT_NE(program(plan, "cache_add").reason.find("(struct pages *)"), std::string::npos);
}

TEST(Plan, arguments_that_were_added_at_the_end_do_no_harm) {
  Features newer = linux_6_18();
  newer.tracepoints["sched_switch"].push_back("int");
  newer.tracepoints["block_bio_queue"].push_back("long");
  const Plan plan = make_plan(newer);
  EXPECT_TRUE(plan.enabled("sched_switch"));
  EXPECT_TRUE(plan.enabled("block_queue"));
}

TEST(Plan, fewer_arguments_than_a_program_reads_exclude_it) {
  Features odd = linux_6_18();
  odd.tracepoints["block_rq_complete"] = {"struct request *", "blk_status_t"};
  EXPECT_FALSE(make_plan(odd).enabled("block_complete"));
}

TEST(Plan, a_kernel_without_an_optional_hook_still_traces) {
  Features features = linux_6_18();
  features.tracepoints.erase("mm_filemap_fault");
  const Plan plan = make_plan(features);
  EXPECT_TRUE(plan.possible());
  ASSERT_EQ(plan.missing().size(), 1U);
  EXPECT_EQ(plan.missing()[0].hook, "mm_filemap_fault");
  EXPECT_NE(plan.missing()[0].reason.find("no tracepoint"), std::string::npos);
  EXPECT_NE(plan.missing()[0].effect.find("page faults"), std::string::npos);
}

TEST(Plan, without_system_call_tracepoints_there_is_no_trace) {
  Features features = linux_6_18();
  features.tracepoints.erase("sys_enter");
  const Plan plan = make_plan(features);
  EXPECT_FALSE(plan.possible());
  ASSERT_EQ(plan.blockers.size(), 1U);
  EXPECT_NE(plan.blockers[0].find("sys_enter"), std::string::npos);
}

TEST(Plan, a_kernel_without_ring_buffers_is_too_old) {
  Features features = linux_6_18();
  features.helpers.clear();
  features.program_types.clear();
  const Plan plan = make_plan(features);
  EXPECT_EQ(plan.blockers.size(), 1U);
  EXPECT_FALSE(plan.uses("bpf_find_vma"));
  EXPECT_TRUE(plan.enabled("syscall_enter_plain"));
  EXPECT_FALSE(plan.enabled("syscall_leftovers"));
  EXPECT_TRUE(is_missing(plan, "syscall_leftovers"));
}

TEST(Plan, arm64_declares_user_page_faults_and_never_fires_them) {
  Features features = linux_6_18();
  features.machine = "aarch64";
  const Plan plan = make_plan(features);
  EXPECT_FALSE(plan.enabled("fault_user"));
  EXPECT_TRUE(plan.enabled("fault_sampled"));
  EXPECT_TRUE(plan.missing().empty());
}

TEST(Plan, where_the_tracepoint_fires_page_faults_are_not_sampled) {
  const Plan plan = make_plan(linux_6_18());
  EXPECT_TRUE(plan.enabled("fault_user"));
  EXPECT_FALSE(plan.enabled("fault_sampled"));
  EXPECT_TRUE(plan.missing().empty());
}

TEST(Plan, what_the_kernel_refuses_later_is_missing_too) {
  Plan plan = make_plan(linux_6_18());
  plan.disable("block_split", "the verifier refused it");
  EXPECT_TRUE(plan.possible());
  ASSERT_EQ(plan.missing().size(), 1U);
  EXPECT_EQ(plan.missing()[0].reason, "the verifier refused it");
  plan.disable("sys_enter", "no such program");  // a tracepoint's name: nothing happens
  EXPECT_TRUE(plan.possible());
  plan.disable("syscall_enter", "EPERM");
  EXPECT_FALSE(plan.possible());
  const auto hooks = plan.hooks();
  EXPECT_EQ(std::count(hooks.begin(), hooks.end(), "sys_enter"), 0);
  EXPECT_EQ(std::count(hooks.begin(), hooks.end(), "sys_exit"), 1);
}

TEST(Plan, requests_of_io_uring_complete_in_one_of_two_ways) {
  Features features = linux_6_18();
  EXPECT_TRUE(make_plan(features).enabled("uring_done"));
  features.tracepoints["io_uring_complete"] = {"void *", "void *", "u64", "int", "unsigned int"};
  features.tracepoints.erase("io_uring_submit_req");
  features.tracepoints["io_uring_submit_sqe"] = {"struct io_kiocb *", "bool"};
  const Plan plan = make_plan(features);
  EXPECT_TRUE(plan.enabled("uring_complete"));
  EXPECT_TRUE(plan.enabled("uring_submit_sqe"));
  EXPECT_TRUE(plan.missing().empty());
  // 5.10 names no request.
  features.tracepoints["io_uring_submit_sqe"] = {"void *", "u8", "u64", "bool", "bool"};
  EXPECT_FALSE(make_plan(features).attached("io_uring_submit_sqe"));
}

TEST(Plan, dma_mappings_are_taken_by_page_or_by_physical_address) {
  Features older = linux_6_18();
  older.tracepoints["dma_map_page"] = older.tracepoints.at("dma_map_phys");
  older.tracepoints.erase("dma_map_phys");
  const Plan plan = make_plan(older);
  EXPECT_TRUE(plan.enabled("dma_map_page"));
  EXPECT_TRUE(program(plan, "dma_map_phys").superseded);
  EXPECT_TRUE(plan.missing().empty());
}

TEST(Plan, without_a_device_that_maps_the_dma_hooks_are_left_out_and_not_missed) {
  Plan plan = make_plan(linux_6_18());
  EXPECT_TRUE(plan.watches_dma());
  plan.leave_dma_out();
  EXPECT_FALSE(plan.watches_dma());
  EXPECT_TRUE(plan.missing().empty());
  const auto hooks = plan.hooks();
  EXPECT_EQ(std::count(hooks.begin(), hooks.end(), "dma_map_sg"), 0);
  EXPECT_EQ(std::count(hooks.begin(), hooks.end(), "block_bio_queue"), 1);
}

// With everything that a hook on copy functions needs.
Features with_fexit() {
  Features features = linux_6_18();
  features.helpers.insert("bpf_get_func_ret");
  features.functions = {
      {"filemap_read", {"struct kiocb *", "struct iov_iter *", "ssize_t"}},
      {"generic_perform_write", {"struct kiocb *", "struct iov_iter *"}},
      {"anon_pipe_read", {"struct kiocb *", "struct iov_iter *"}},
  };
  return features;
}

TEST(Plan, copies_are_measured_at_the_exit_of_functions) {
  const Plan plan = make_plan(with_fexit());
  EXPECT_TRUE(plan.enabled("copy_read"));
  EXPECT_TRUE(plan.enabled("copy_write"));
  EXPECT_FALSE(plan.enabled("kcopy_read"));
  EXPECT_FALSE(plan.enabled("copy_pipe_o"));  // not on this kernel, where it has another name
  EXPECT_FALSE(is_missing(plan, "copy functions"));
  EXPECT_TRUE(plan.measures_copies());
}

TEST(Plan, kprobes_measure_copies_where_fexit_is_refused) {
  Features features = with_fexit();
  features.fentry_refused = "fexit programs are refused: EPERM";
  features.symbols = {"filemap_read", "generic_perform_write"};
  const Plan plan = make_plan(features);
  EXPECT_FALSE(plan.enabled("copy_read"));
  EXPECT_TRUE(plan.enabled("kcopy_read"));
  EXPECT_TRUE(plan.enabled("rcopy_read"));
  EXPECT_TRUE(program(plan, "copy_read").superseded);
}

TEST(Plan, without_either_copies_are_derived_and_it_says_why) {
  Features features = with_fexit();
  features.fentry_refused = "fexit programs are refused: EPERM";
  features.kprobes_refused = "this kernel has no kprobes";
  Plan plan = make_plan(features);
  EXPECT_TRUE(plan.possible());
  EXPECT_FALSE(plan.measures_copies());
  EXPECT_TRUE(is_missing(plan, "copy functions"));
  const auto grades = evidence_of(plan, false, "");
  EXPECT_EQ(grades.at("cpu_copies").first, Evidence::kDerived);
  EXPECT_NE(grades.at("cpu_copies").second.find("EPERM"), std::string::npos);
}

TEST(Plan, hooks_that_the_check_gave_up_are_not_missed) {
  Plan plan = make_plan(with_fexit());
  CopyChoice choice;
  choice.hooks.set(WIRE_COPY_READ);
  choice.measured.files = true;
  plan.choose_copies(choice);
  EXPECT_TRUE(plan.enabled("copy_read"));
  EXPECT_FALSE(plan.enabled("copy_write"));
  EXPECT_EQ(evidence_of(plan, false, "").at("cpu_copies").first, Evidence::kMeasured);
  EXPECT_EQ(evidence_of(plan, false, "").at("cpu_copies_pipes").first, Evidence::kDerived);
}

TEST(Plan, what_names_pages_needs_no_physical_addresses) {
  Plan plan = make_plan(linux_6_18());
  plan.disable_physical_addresses("no frame numbers");
  EXPECT_TRUE(plan.watches_dma());
  EXPECT_TRUE(plan.enabled("dma_map_sg"));
  for (const char* hook : {"dma_map_phys", "dma_iommu", "dma_bounced"})
    EXPECT_EQ(program(plan, hook).reason, "no frame numbers") << hook;
  EXPECT_TRUE(is_missing(plan, "dma_map_phys"));
}

TEST(Plan, bounce_buffers_are_seen_before_the_dma_layer_is) {
  Features old = linux_6_18();
  old.tracepoints.erase("dma_map_phys");
  old.tracepoints.erase("dma_map_sg");
  const Plan plan = make_plan(old);
  EXPECT_TRUE(plan.enabled("dma_bounced"));
  EXPECT_TRUE(is_missing(plan, "dma_map_sg"));
  EXPECT_NE(evidence_of(plan, true, "").at("dma").second.find("dma_map_sg"), std::string::npos);
}

TEST(Evidence, of_dma_is_observed_only_where_the_dma_layer_is_seen) {
  Plan plan = make_plan(linux_6_18());
  EXPECT_EQ(evidence_of(plan, true, "").at("dma").first, Evidence::kObserved);
  const auto virtio = evidence_of(plan, false, "virtio_blk passes physical addresses").at("dma");
  EXPECT_EQ(virtio.first, Evidence::kDerived);
  EXPECT_NE(virtio.second.find("physical addresses"), std::string::npos);
  for (const char* hook : {"dma_map_phys", "dma_map_page", "dma_map_sg"}) plan.disable(hook, "x");
  EXPECT_EQ(evidence_of(plan, true, "").at("dma").first, Evidence::kDerived);
  plan.disable("block_queue", "it is gone");
  EXPECT_EQ(evidence_of(plan, true, "").at("dma").first, Evidence::kInferred);
  EXPECT_NE(evidence_of(plan, true, "").at("dma").second.find("it is gone"), std::string::npos);
}

TEST(Evidence, a_figure_that_cannot_be_known_has_no_grade) {
  Plan plan = make_plan(linux_6_18());
  EXPECT_EQ(evidence_of(plan, true, "").count("off_cpu"), 1U);
  plan.disable("sched_switch", "x");
  EXPECT_EQ(evidence_of(plan, true, "").count("off_cpu"), 0U);
  EXPECT_EQ(evidence_of(plan, true, "").at("cpu_copies").first, Evidence::kDerived);
  EXPECT_EQ(evidence_of(plan, true, "").at("mode_switches").first, Evidence::kObserved);
}

}  // namespace
}  // namespace iohops
