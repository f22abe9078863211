// Which hooks a kernel gets on what maps memory for devices and on what copies.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "kernels.hpp"

namespace iohops::test {
namespace {

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
  features.functions.insert({
      {"filemap_read", {"struct kiocb *", "struct iov_iter *", "ssize_t"}},
      {"generic_perform_write", {"struct kiocb *", "struct iov_iter *"}},
      {"anon_pipe_read", {"struct kiocb *", "struct iov_iter *"}},
  });
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

TEST(Plan, copies_through_bounce_buffers_are_measured_whatever_the_arguments_that_kernels_added) {
  const std::string direction = "enum dma_data_direction";
  Features features = linux_6_18();
  Types& map = features.functions.at("swiotlb_tbl_map_single");
  EXPECT_TRUE(make_plan(features).enabled("bounce_map"));
  map = {"struct device *", "phys_addr_t", "size_t", "size_t", direction, "unsigned long"};  // 5.10
  features.functions.at("swiotlb_bounce") = {"phys_addr_t", "phys_addr_t", "size_t", direction};
  EXPECT_TRUE(make_plan(features).enabled("bounce_map"));
  EXPECT_TRUE(make_plan(features).enabled("bounce_copy"));
  map = {"struct device *", "phys_addr_t", "size_t",       "size_t",
         "unsigned int",    direction,     "unsigned long"};  // 6.1
  const Plan plan = make_plan(features);
  EXPECT_TRUE(plan.enabled("bounce_copy"));
  EXPECT_TRUE(program(plan, "bounce_map").superseded);  // and not needed
  EXPECT_TRUE(plan.missing().empty());
  EXPECT_EQ(evidence_of(plan, true, "").at("cpu_copies_bounced").first, Evidence::kMeasured);
}

TEST(Plan, without_bpf_loop_bounce_buffers_are_followed_by_a_plain_loop) {
  Features old = linux_6_18();
  old.helpers.erase("bpf_loop");
  old.program_types.clear();  // and pages are learnt without a program of a later type
  const Plan plan = make_plan(old);
  EXPECT_TRUE(plan.enabled("bounced_plain"));
  EXPECT_TRUE(plan.enabled("dma_learn"));
  EXPECT_TRUE(program(plan, "dma_bounced").superseded);
  EXPECT_FALSE(is_missing(plan, "swiotlb_bounced"));
}

TEST(Plan, where_functions_cannot_be_hooked_bounce_copies_are_derived_and_it_says_why) {
  Features features = linux_6_18();
  features.fentry_refused = "fexit programs are refused: EPERM";
  Plan plan = make_plan(features);
  EXPECT_TRUE(plan.enabled("dma_bounced"));
  EXPECT_TRUE(is_missing(plan, "swiotlb_bounce"));
  const auto grade = evidence_of(plan, true, "").at("cpu_copies_bounced");
  EXPECT_EQ(grade.first, Evidence::kDerived);
  EXPECT_NE(grade.second.find("EPERM"), std::string::npos);
  plan.leave_dma_out();
  EXPECT_FALSE(is_missing(plan, "swiotlb_bounce"));
}

TEST(Plan, copies_on_write_are_told_by_the_function_or_else_by_the_counters_of_pages) {
  Features features = linux_6_18();
  EXPECT_TRUE(make_plan(features).enabled("fault_cow"));
  EXPECT_FALSE(make_plan(features).enabled("fault_rss"));
  features.fentry_refused = "fexit programs are refused: EPERM";
  const Plan plan = make_plan(features);
  EXPECT_TRUE(plan.enabled("fault_rss"));
  EXPECT_FALSE(is_missing(plan, "do_wp_page"));
  // Before 6.2 the event comes once for 64 pages.
  features.tracepoints["rss_stat"] = {"struct mm_struct *", "int", "long"};
  EXPECT_FALSE(make_plan(features).enabled("fault_rss"));
  EXPECT_TRUE(is_missing(make_plan(features), "do_wp_page"));
}

TEST(Plan, what_is_refused_at_load_time_gives_way_to_its_substitute) {
  Plan plan = make_plan(linux_6_18());
  plan.disable("fault_cow", "the kernel refused it");
  EXPECT_TRUE(plan.enabled("fault_rss"));
  EXPECT_FALSE(is_missing(plan, "do_wp_page"));
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
}  // namespace iohops::test
