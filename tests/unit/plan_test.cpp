// Which programs a kernel gets, told by kernels as they were and are.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "kernels.hpp"

namespace iohops::test {
namespace {

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

TEST(Plan, light_leaves_system_calls_alone_and_says_so_once) {
  Features features = linux_6_18();
  Plan plan = make_plan(features, Depth::kBelow);
  EXPECT_TRUE(plan.possible());
  for (const char* left : {"sys_enter", "sys_exit", "io_uring_submit_req", "iomap_dio_complete", "net_dev_start_xmit", "task_rename"})
    for (const PlannedProgram& p : plan.programs)
      EXPECT_FALSE(p.enabled && p.tracepoint == left && !p.program.starts_with("direct_")) << p.program;
  for (const char* kept : {"block_queue", "block_complete", "fault_user", "cache_add", "writeback_begin", "sched_exit",
                           "dma_map_sg", "syscall_leftovers"})
    EXPECT_TRUE(plan.enabled(kept)) << kept;
  ASSERT_EQ(plan.missing().size(), 1U);
  EXPECT_EQ(plan.missing()[0].hook, "sys_enter");
  EXPECT_NE(plan.missing()[0].reason.find("--light"), std::string::npos);
  EXPECT_FALSE(plan.measures_copies());
  const auto evidence = evidence_of(plan, true, "");
  EXPECT_EQ(evidence.count("mode_switches") + evidence.count("cpu_copies"), 0U);
  EXPECT_EQ(evidence.count("dma"), 1U);
  plan.disable("block_queue", "refused");
  EXPECT_FALSE(plan.possible());
}

TEST(Plan, light_needs_no_system_call_tracepoints_but_device_work) {
  Features features = linux_6_18();
  features.tracepoints.erase("sys_enter");
  EXPECT_TRUE(make_plan(features, Depth::kBelow).possible());
  features.tracepoints.erase("block_rq_complete");
  EXPECT_FALSE(make_plan(features, Depth::kBelow).possible());
}

TEST(Plan, light_leaves_out_faults_that_it_cannot_tell_from_system_calls) {
  Features features = linux_6_18();
  features.helpers.erase("bpf_task_pt_regs");
  const Plan plan = make_plan(features, Depth::kBelow);
  EXPECT_FALSE(plan.enabled("fault_user"));
  EXPECT_TRUE(is_missing(plan, "page_fault_user"));
  EXPECT_TRUE(make_plan(features).enabled("fault_user"));
}

TEST(Plan, top_does_not_ask_how_long_a_device_took) {
  Plan plan = make_plan(linux_6_18());
  plan.leave_unsummed_out();
  EXPECT_FALSE(plan.attached("block_rq_insert") || plan.attached("block_rq_issue"));
  EXPECT_FALSE(plan.attached("net_dev_start_xmit") || plan.attached("skb_copy_datagram_iovec"));
  EXPECT_TRUE(plan.attached("block_bio_queue") && plan.attached("block_rq_complete"));
  EXPECT_TRUE(plan.missing().empty());
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

}  // namespace
}  // namespace iohops::test
