// The summary of a record stream: what is counted where, and that nothing is counted twice.
#include "core/summarizer.hpp"

#include <gtest/gtest.h>

#include "json_trace.hpp"

namespace iohops {
namespace {

using test::cached_read;
using test::kVda;
using test::missed_read;
using test::missed_read_transfer;

size_t at(Endpoint endpoint) { return static_cast<size_t>(endpoint); }
size_t at(Cause cause) { return static_cast<size_t>(cause); }

TEST(Summarizer, of_nothing_is_empty) {
  const Summary summary = Summarizer().take();
  EXPECT_EQ(summary.requests, 0U);
  EXPECT_EQ(summary.dma.bytes, 0U);
  EXPECT_TRUE(summary.by_file.empty());
  EXPECT_TRUE(summary.by_op.empty());
}

TEST(Summarizer, a_hit_is_one_copy_and_no_dma) {
  Summarizer summarizer;
  ASSERT_TRUE(summarizer.request(cached_read()));
  const Summary summary = summarizer.take();
  EXPECT_EQ(summary.requests, 1U);
  EXPECT_EQ(summary.bytes_requested, 4096U);
  EXPECT_EQ(summary.bytes_returned, 4096U);
  EXPECT_EQ(summary.mode_switches, 2U);
  EXPECT_EQ(summary.cpu_copies.count, 1U);
  EXPECT_EQ(summary.cpu_copies_by_hop[at(Endpoint::kPageCache)][at(Endpoint::kUser)].bytes, 4096U);
  EXPECT_EQ(summary.cpu_copies_evidence, Evidence::kDerived);
  EXPECT_EQ(summary.dma.count, 0U);
  EXPECT_EQ(summary.hit_bytes, 4096U);
  EXPECT_EQ(summary.miss_bytes, 0U);
  EXPECT_EQ(summary.on_cpu_ns, 850U);
  EXPECT_EQ(summary.duration_ns, 1'000'850U);  // nobody told better
}

TEST(Summarizer, of_a_request_that_did_not_end_nobody_knows_how_long_it_ran) {
  Request poll = cached_read();
  poll.op = "poll";
  poll.ended = "open";
  Summarizer summarizer;
  ASSERT_TRUE(summarizer.request(poll));
  EXPECT_EQ(summarizer.take().on_cpu_ns, 0U);
}

TEST(Summarizer, dma_is_counted_at_the_transfer_and_not_again_at_the_requests_hop) {
  Summarizer summarizer;
  ASSERT_TRUE(summarizer.transfer(missed_read_transfer()));
  ASSERT_TRUE(summarizer.request(missed_read()));
  const Summary summary = summarizer.take();
  EXPECT_EQ(summary.dma.count, 1U);
  EXPECT_EQ(summary.dma.bytes, 131'072U);
  EXPECT_EQ(summary.dma_by_cause[at(Cause::kRead)].bytes, 131'072U);
  EXPECT_EQ(summary.dma_by_hop[at(Endpoint::kDevice)][at(Endpoint::kPageCache)].bytes, 131'072U);
  EXPECT_EQ(summary.miss_bytes, 4096U);
  EXPECT_EQ(summary.readahead_bytes, 126'976U);
  EXPECT_EQ(summary.wait_ns[static_cast<size_t>(WaitReason::kDevice)], 80'000U);
  EXPECT_EQ(summary.on_cpu_ns, 4'000U);
}

TEST(Summarizer, bytes_without_an_owner_are_conserved_and_shown) {
  Transfer journal = missed_read_transfer();
  journal.op = "write";
  journal.cause = Cause::kJournal;
  journal.owners = {{{1, 1}, 512}};
  journal.bytes = 4096;
  journal.unattributed_bytes = 3584;
  Summarizer summarizer;
  ASSERT_TRUE(summarizer.transfer(journal));
  const Summary summary = summarizer.take();
  EXPECT_EQ(summary.dma.bytes, 4096U);
  EXPECT_EQ(summary.unattributed_bytes, 3584U);
  EXPECT_EQ(summary.unattributed.at({kVda, Cause::kJournal}), 3584U);
  EXPECT_EQ(summary.dma_by_hop[at(Endpoint::kPageCache)][at(Endpoint::kDevice)].bytes, 4096U);
}

TEST(Summarizer, direct_io_moves_the_processes_own_pages) {
  Transfer direct = missed_read_transfer();
  direct.cause = Cause::kDirect;
  direct.offset.reset();
  Summarizer summarizer;
  ASSERT_TRUE(summarizer.transfer(direct));
  direct.op = "write";
  ASSERT_TRUE(summarizer.transfer(direct));
  direct.offset = 0;  // pages of a file that sendfile handed on
  ASSERT_TRUE(summarizer.transfer(direct));
  const Summary summary = summarizer.take();
  EXPECT_EQ(summary.dma_by_hop[at(Endpoint::kPageCache)][at(Endpoint::kDevice)].count, 1U);
  EXPECT_EQ(summary.dma_by_hop[at(Endpoint::kDevice)][at(Endpoint::kUser)].count, 1U);
  EXPECT_EQ(summary.dma_by_hop[at(Endpoint::kUser)][at(Endpoint::kDevice)].count, 1U);
}

TEST(Summarizer, a_device_without_dma_adds_none) {
  Transfer loop = missed_read_transfer();
  loop.device = 7U << 20;
  loop.dma.dma = false;
  loop.owners.clear();
  loop.unattributed_bytes = loop.bytes;
  Summarizer summarizer;
  ASSERT_TRUE(summarizer.transfer(loop));
  const Summary summary = summarizer.take();
  EXPECT_EQ(summary.dma.count, 0U);
  EXPECT_EQ(summary.device_no_dma.bytes, 131'072U);
  // Not a part of dma.bytes, but named all the same.
  EXPECT_EQ(summary.unattributed_bytes, 0U);
  EXPECT_EQ(summary.unattributed.at({7U << 20, Cause::kRead}), 131'072U);
}

TEST(Summarizer, a_flush_or_discard_carries_no_data) {
  Transfer discard = missed_read_transfer();
  discard.op = "discard";
  discard.cause = Cause::kDiscard;
  Transfer flush = missed_read_transfer();
  flush.op = "flush";
  flush.cause = Cause::kFlush;
  flush.bytes = 0;
  flush.owners = {};
  Summarizer summarizer;
  ASSERT_TRUE(summarizer.transfer(discard));
  ASSERT_TRUE(summarizer.transfer(flush));
  const Summary summary = summarizer.take();
  EXPECT_EQ(summary.dma.bytes, 0U);
  EXPECT_EQ(summary.dma_by_cause[at(Cause::kFlush)].count, 1U);
  EXPECT_TRUE(summary.unattributed.empty());
}

TEST(Summarizer, the_weakest_evidence_is_the_figures) {
  Request measured = cached_read();
  measured.hops[0].evidence = Evidence::kMeasured;
  Request inferred = cached_read();
  inferred.hops[0].evidence = Evidence::kInferred;
  Transfer observed = missed_read_transfer();
  observed.dma.evidence = Evidence::kObserved;
  Summarizer summarizer;
  ASSERT_TRUE(summarizer.request(measured));
  ASSERT_TRUE(summarizer.request(inferred));
  ASSERT_TRUE(summarizer.request(measured));
  ASSERT_TRUE(summarizer.transfer(observed));
  const Summary summary = summarizer.take();
  EXPECT_EQ(summary.cpu_copies_evidence, Evidence::kInferred);
  EXPECT_EQ(summary.dma_evidence, Evidence::kObserved);
}

TEST(Summarizer, a_mapped_page_is_no_copy) {
  Request fault = cached_read();
  fault.op = "page_fault";
  fault.moves_data = false;
  fault.result = 0;
  fault.hops[0].kind = HopKind::kMap;
  Summarizer summarizer;
  ASSERT_TRUE(summarizer.request(fault));
  const Summary summary = summarizer.take();
  EXPECT_EQ(summary.cpu_copies.count, 0U);
  EXPECT_EQ(summary.mapped.bytes, 4096U);
  EXPECT_EQ(summary.hit_bytes, 4096U);
  EXPECT_EQ(summary.bytes_requested, 0U);
}

TEST(Summarizer, writeback_comes_from_effects) {
  Effect effect;
  effect.bytes = 8192;
  Summarizer summarizer;
  ASSERT_TRUE(summarizer.effect(effect));
  effect.cause = Cause::kFsync;
  ASSERT_TRUE(summarizer.effect(effect));
  effect.cause = Cause::kJournal;
  ASSERT_TRUE(summarizer.effect(effect));
  EXPECT_EQ(summarizer.take().writeback_bytes, 2 * 8192U);
}

TEST(Summarizer, lists_the_largest_files_and_adds_up_the_rest_in_one_row) {
  Summarizer summarizer;
  uint64_t returned = 0;
  constexpr uint32_t kFiles = Summarizer::kTrackedFiles + 50;
  for (uint32_t file = 1; file <= kFiles; ++file) {
    Request read = cached_read();
    read.file = file;
    read.result = file;
    returned += file;
    ASSERT_TRUE(summarizer.request(read));
  }
  const Summary summary = summarizer.take();
  ASSERT_EQ(summary.by_file.size(), Summarizer::kListedFiles + 1);
  EXPECT_EQ(summary.by_file[0].file, Summarizer::kTrackedFiles);
  EXPECT_EQ(summary.by_file[1].file, Summarizer::kTrackedFiles - 1);
  EXPECT_EQ(summary.by_file.back().file, 0U);
  uint64_t requests = 0;
  uint64_t listed = 0;
  for (const FileTotals& row : summary.by_file) {
    requests += row.totals.requests;
    listed += row.totals.returned_bytes;
  }
  EXPECT_EQ(requests, kFiles);
  EXPECT_EQ(listed, returned);
}

TEST(Summarizer, bounds_the_operations_that_a_hostile_file_can_name) {
  Summarizer summarizer;
  for (size_t i = 0; i < 2 * Summarizer::kTrackedOps; ++i) {
    const std::string op = "op" + std::to_string(i);
    Request request = cached_read();
    request.op = op;
    ASSERT_TRUE(summarizer.request(request));
  }
  const Summary summary = summarizer.take();
  EXPECT_EQ(summary.by_op.size(), Summarizer::kTrackedOps + 1);
  EXPECT_EQ(summary.by_op.at("other").requests, Summarizer::kTrackedOps);
}

TEST(Summarizer, syncs_are_billed_for_what_devices_wrote_also_without_dma) {
  Summarizer summarizer;
  for (const bool dma : {true, false}) {
    Transfer data = missed_read_transfer();
    data.op = "write";
    data.cause = Cause::kFsync;
    data.dma.dma = dma;
    ASSERT_TRUE(summarizer.transfer(data));
    Transfer journal = data;
    journal.cause = Cause::kJournal;
    journal.owners = {{{1, 1}, 512}};
    journal.unattributed_bytes = journal.bytes - 512;
    ASSERT_TRUE(summarizer.transfer(journal));
  }
  Transfer flush;
  flush.op = "flush";
  flush.cause = Cause::kFlush;
  ASSERT_TRUE(summarizer.transfer(flush));  // nobody's
  flush.owners = {{{1, 1}, 0}};
  ASSERT_TRUE(summarizer.transfer(flush));
  Request sync = cached_read();
  sync.op = "fdatasync";
  sync.moves_data = false;
  sync.hops.clear();
  ASSERT_TRUE(summarizer.request(sync));
  ASSERT_TRUE(summarizer.request(missed_read()));  // waits, and is no sync
  const SyncBill bill = summarizer.take().syncs;
  EXPECT_EQ(bill.requests, 1U);
  EXPECT_EQ(bill.duration_ns, 850U);
  EXPECT_EQ(bill.data_bytes, 2 * 131'072U);
  EXPECT_EQ(bill.journal_bytes, 1024U);
  EXPECT_EQ(bill.flushes, 1U);
  EXPECT_EQ(bill.wait_ns[static_cast<size_t>(WaitReason::kDevice)], 0U);
}

TEST(Summarizer, flows_are_added_up_by_file_and_kind_and_stay_bounded) {
  Summarizer summarizer;
  Flow flow{{1, 1}, {1, 2}, 100, Evidence::kInferred, 2, 1, 4, "read-write", "sendfile", 1, 2};
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(summarizer.flow(flow));
  flow.bytes = 1;
  for (uint32_t i = 0; i < 2 * Summarizer::kTrackedFlows; ++i) {
    flow.to_file = 1000 + i;
    ASSERT_TRUE(summarizer.flow(flow));
  }
  const Summary summary = summarizer.take();
  ASSERT_EQ(summary.flows.size(), Summarizer::kListedFlows);
  EXPECT_EQ(summary.flows[0].flows, 3U);
  EXPECT_EQ(summary.flows[0].bytes, 300U);
  EXPECT_EQ(summary.flows[0].cpu_copies, 6U);
  EXPECT_EQ(summary.flows[0].first.to_file, 2U);
}

TEST(Summarizer, a_known_summary_adds_only_what_no_record_carries) {
  Summarizer summarizer;
  ASSERT_TRUE(summarizer.request(cached_read()));
  ASSERT_TRUE(summarizer.loss({1, "ring_request", 9}));
  ASSERT_TRUE(summarizer.summary(test::sample_summary()));
  const Summary summary = summarizer.take();
  EXPECT_EQ(summary.requests, 1U);
  EXPECT_EQ(summary.cpu_copies.count, 1U);
  EXPECT_EQ(summary.duration_ns, 12'400'000'000U);
  EXPECT_EQ(summary.stop_reason, "interrupted");
  EXPECT_EQ(summary.pending_bytes, 4U);
  EXPECT_EQ(summary.overhead.events, 190'377U);
  EXPECT_EQ(summary.advice.size(), 1U);
  EXPECT_EQ(summary.lost.at("ring_request"), 9U);  // the same losses, not a second lot
  EXPECT_EQ(summary.lost.at("evicted"), 1U);
  EXPECT_EQ(summary.lost_total(), 10U);
}

TEST(Summarizer, an_incomplete_request_is_counted_as_partial) {
  Request request = cached_read();
  request.complete = false;
  Summarizer summarizer;
  ASSERT_TRUE(summarizer.request(request));
  EXPECT_EQ(summarizer.take().partial_requests, 1U);
}

}  // namespace
}  // namespace iohops
