// The vocabulary's names and what the model computes from itself.
#include "core/model/model.hpp"
#include "core/model/summary.hpp"

#include <gtest/gtest.h>

#include "core/form.hpp"
#include "json_trace.hpp"

namespace iohops {
namespace {

template <typename Enum>
void expect_names_and_inverse(int count, std::optional<Enum> (*parse)(std::string_view)) {
  for (int i = 0; i < count; ++i) {
    const auto value = static_cast<Enum>(i);
    EXPECT_EQ(parse(name(value)), value) << name(value);
  }
  EXPECT_EQ(parse("no such name"), std::nullopt);
  EXPECT_EQ(parse(""), std::nullopt);
}

TEST(Model, every_name_parses_back_to_its_value) {
  expect_names_and_inverse<Evidence>(4, parse_evidence);
  expect_names_and_inverse<HopKind>(6, parse_hop_kind);
  expect_names_and_inverse<Endpoint>(kEndpoints, parse_endpoint);
  expect_names_and_inverse<WaitReason>(kWaitReasons, parse_wait_reason);
  expect_names_and_inverse<Cause>(kCauses, parse_cause);
  expect_names_and_inverse<Path>(8, parse_path);
  expect_names_and_inverse<CacheOutcome>(5, parse_cache_outcome);
  expect_names_and_inverse<Submit>(4, parse_submit);
  expect_names_and_inverse<FileKind>(9, parse_file_kind);
}

TEST(Model, the_last_names_stand_where_the_last_values_are) {
  EXPECT_EQ(name(Evidence::kInferred), "inferred");
  EXPECT_EQ(name(HopKind::kWait), "wait");
  EXPECT_EQ(name(Endpoint::kKernel), "kernel");
  EXPECT_EQ(name(WaitReason::kPreempted), "preempted");
  EXPECT_EQ(name(Cause::kReadModifyWrite), "read_modify_write");
  EXPECT_EQ(name(Path::kZeroCopy), "zero_copy");
  EXPECT_EQ(name(Path::kMemory), "memory");
  EXPECT_EQ(name(CacheOutcome::kBypass), "bypass");
  EXPECT_EQ(name(Submit::kPageFault), "page_fault");
  EXPECT_EQ(name(FileKind::kMemory), "memory");
}

TEST(Model, only_a_positive_result_of_a_read_or_write_is_a_byte_count) {
  Request request;
  request.result = 100;
  EXPECT_EQ(request.returned_bytes(), 0U);
  request.moves_data = true;
  EXPECT_EQ(request.returned_bytes(), 100U);
  request.result = -5;
  EXPECT_EQ(request.returned_bytes(), 0U);
}

TEST(Model, a_hit_is_what_came_from_the_cache_without_being_loaded_for_it) {
  EXPECT_EQ(test::cached_read().cache_hit_bytes(), 4096U);
  EXPECT_EQ(test::missed_read().cache_hit_bytes(), 0U);
  Request half = test::missed_read();
  half.miss_bytes = 1024;
  EXPECT_EQ(half.cache_hit_bytes(), 3072U);
}

TEST(Model, bytes_that_were_still_being_loaded_are_no_hit) {
  Request late = test::cached_read();
  late.cache = CacheOutcome::kMixed;
  Hop wait;
  wait.kind = HopKind::kWait;
  wait.reason = WaitReason::kPreempted;
  late.hops.push_back(wait);
  EXPECT_EQ(late.cache_hit_bytes(), 4096U);  // it lost the CPU, that is all
  late.hops.back().reason = WaitReason::kPageLock;
  EXPECT_EQ(late.cache_hit_bytes(), 0U);
  EXPECT_EQ(late.cache_awaited_bytes(), 4096U);
}

TEST(Model, a_write_takes_nothing_out_of_the_cache) {
  Request write = test::cached_read();
  write.op = "pwrite64";
  std::swap(write.hops[0].from, write.hops[0].to);
  EXPECT_EQ(write.cache_hit_bytes(), 0U);
}

TEST(Model, a_copy_on_write_fault_takes_its_page_once) {
  Request fault = test::cached_read();
  Hop map = fault.hops[0];
  map.kind = HopKind::kMap;
  fault.hops.push_back(map);
  EXPECT_EQ(fault.cache_hit_bytes(), 4096U);
}

TEST(Latency, is_empty_at_first) {
  EXPECT_EQ(Latency().percentile(50), 0U);
  EXPECT_EQ(Latency().percentile(100), 0U);
}

TEST(Latency, of_one_value_never_exceeds_it) {
  Latency latency;
  latency.add(1000);
  EXPECT_EQ(latency.percentile(100), 1000U);
  EXPECT_GE(latency.percentile(50), 512U);
  EXPECT_LE(latency.percentile(50), 1000U);
  EXPECT_EQ(latency.sum_ns, 1000U);
}

TEST(Latency, takes_the_smallest_and_the_largest_number) {
  Latency latency;
  latency.add(0);
  latency.add(UINT64_MAX);
  EXPECT_EQ(latency.buckets[0], 1U);
  EXPECT_EQ(latency.buckets[63], 1U);
  EXPECT_LE(latency.percentile(50), 2U);  // bucket 0 holds 0 and 1
  EXPECT_EQ(latency.percentile(100), UINT64_MAX);
}

TEST(Latency, percentiles_of_a_uniform_spread_are_within_a_few_percent) {
  Latency latency;
  for (uint64_t ns = 1; ns <= 100'000; ++ns) latency.add(ns);
  // 65,536..100,000 share a bucket that ends at 131,072, capped at the maximum.
  EXPECT_NEAR(static_cast<double>(latency.percentile(50)), 50'000, 500);
  EXPECT_NEAR(static_cast<double>(latency.percentile(99)), 99'000, 500);
  EXPECT_LE(latency.percentile(10), latency.percentile(50));
}

TEST(Latency, a_merge_equals_adding_everything_to_one) {
  Latency all;
  Latency odd;
  Latency even;
  for (uint64_t ns = 1; ns < 5000; ns += 7) {
    all.add(ns);
    (ns % 2 ? odd : even).add(ns);
  }
  odd.merge(even);
  EXPECT_EQ(odd.buckets, all.buckets);
  EXPECT_EQ(odd.count, all.count);
  EXPECT_EQ(odd.sum_ns, all.sum_ns);
  EXPECT_EQ(odd.max_ns, all.max_ns);
}

TEST(OpTotals, add_up_requests) {
  OpTotals totals;
  totals.add(test::cached_read());
  totals.add(test::missed_read());
  Request failed = test::cached_read();
  failed.result = -4;
  failed.hops.clear();
  failed.cpu_copy_bytes = 0;
  totals.add(failed);
  EXPECT_EQ(totals.requests, 3U);
  EXPECT_EQ(totals.errors, 1U);
  EXPECT_EQ(totals.requested_bytes, 3 * 4096U);
  EXPECT_EQ(totals.returned_bytes, 2 * 4096U);
  EXPECT_EQ(totals.cpu_copy_bytes, 2 * 4096U);
  EXPECT_EQ(totals.dma_bytes, 131'072U);
  EXPECT_EQ(totals.hit_bytes, 4096U);
  EXPECT_EQ(totals.miss_bytes, 4096U);
  EXPECT_EQ(totals.mode_switches, 6U);
  EXPECT_EQ(totals.duration_ns, 850U + 84'000U + 850U);
  EXPECT_EQ(totals.latency.count, 3U);
}

TEST(Form, follows_the_suffix) {
  EXPECT_EQ(*form_of("-"), Form::kLines);
  EXPECT_EQ(*form_of("a.jsonl"), Form::kLines);
  EXPECT_EQ(*form_of("a.json"), Form::kDocument);
  EXPECT_EQ(*form_of("a.b/c.jsonl.zst"), Form::kLines);
  EXPECT_EQ(*form_of("c.json.zst"), Form::kDocument);
  EXPECT_EQ(*form_of("/dev/full"), Form::kLines);
  EXPECT_TRUE(is_compressed("c.json.zst"));
  EXPECT_FALSE(is_compressed("zst"));
}

TEST(Form, of_another_suffix_names_the_accepted_ones) {
  for (const char* path : {"a.txt", "json", "a.zst", "", "a.json.gz", "/dev/shm/a"}) {
    const Result<Form> form = form_of(path);
    ASSERT_FALSE(form) << path;
    EXPECT_EQ(form.error().kind, ErrorKind::kUsage);
    EXPECT_NE(form.error().message.find(".jsonl"), std::string::npos);
    EXPECT_NE(form.error().message.find(".zst"), std::string::npos);
  }
}

}  // namespace
}  // namespace iohops
