// Which requests a recording lists, and that what goes with them goes with them.
#include "core/thinning.hpp"

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace iohops {
namespace {

constexpr uint32_t kPid = 4711;

class Listed : public Sink {
 public:
  Status request(const Request& r) override {
    requests.insert(r.id);
    return {};
  }
  Status transfer(const Transfer& t) override {
    transfers.push_back(t.id);
    return {};
  }
  Status effect(const Effect& e) override {
    effects.push_back(e.transfer);
    return {};
  }
  Status flow(const Flow& f) override {
    flows.push_back(f.to);
    return {};
  }
  Status loss(const Loss& l) override {
    lost += l.count;
    return {};
  }

  std::set<RequestId> requests;
  std::vector<uint64_t> transfers, effects;
  std::vector<RequestId> flows;
  uint64_t lost = 0;
};

Request hit(uint64_t seq) {
  Request request;
  request.id = {kPid, seq};
  request.result = 4096;
  request.cache = CacheOutcome::kHit;
  return request;
}

TEST(Thinning, misses_leaves_out_only_what_the_page_cache_served_at_once) {
  Listed listed;
  ThinSink thin({.misses_only = true}, listed);
  std::vector<Request> all(8, hit(0));
  for (size_t i = 0; i < all.size(); ++i) all[i].id.seq = i;
  all[1].cache = CacheOutcome::kMiss;
  all[2].cache = CacheOutcome::kNone;
  all[3].result = -5;
  all[4].off_cpu_ns = 1;
  all[5].complete = false;
  all[6].dma_transfers = 1;
  all[7].dirtied_bytes = 1;
  for (const Request& request : all) ASSERT_TRUE(thin.request(request));
  EXPECT_EQ(thin.left_out(), 1u);
  EXPECT_EQ(listed.requests.size(), all.size() - 1);
  EXPECT_FALSE(listed.requests.contains({kPid, 0}));
}

TEST(Thinning, a_sample_has_no_rhythm) {
  Listed listed;
  constexpr uint64_t kRequests = 100'000, kOneOf = 10;
  ThinSink thin({.one_of = kOneOf}, listed);
  for (uint64_t i = 0; i < kRequests; ++i) ASSERT_TRUE(thin.request(hit(i)));
  EXPECT_EQ(thin.left_out() + listed.requests.size(), kRequests);
  // 10,000 expected, with a standard deviation of 95; of the even and the odd ones half each.
  EXPECT_NEAR(static_cast<double>(listed.requests.size()), 10'000, 500);
  size_t even = 0;
  for (const RequestId& id : listed.requests) even += id.seq % 2 == 0;
  EXPECT_NEAR(static_cast<double>(even), 5'000, 350);
}

TEST(Thinning, what_was_done_for_a_request_is_listed_with_it) {
  Listed listed;
  ThinSink thin({.one_of = 4}, listed);
  constexpr uint64_t kRequests = 1000;
  for (uint64_t i = 0; i < kRequests; ++i) {
    Transfer transfer;
    transfer.id = i;
    transfer.owners = {{{kPid, i}, 4096}};
    Effect effect;
    effect.transfer = i;
    effect.requests = transfer.owners;
    Flow flow;
    flow.from = {kPid, i + kRequests};
    flow.to = {kPid, i};
    ASSERT_TRUE(thin.request(hit(i)) && thin.transfer(transfer) && thin.effect(effect) && thin.flow(flow));
  }
  ASSERT_GT(listed.requests.size(), 0u);
  std::vector<uint64_t> ids;
  for (const RequestId& id : listed.requests) ids.push_back(id.seq);
  EXPECT_EQ(listed.transfers, ids);
  EXPECT_EQ(listed.effects, ids);
  EXPECT_EQ(listed.flows.size(), ids.size());
}

TEST(Thinning, what_nobody_owns_and_what_was_lost_is_always_listed) {
  Listed listed;
  ThinSink thin({.misses_only = true, .one_of = UINT64_MAX}, listed);
  Transfer transfer;
  transfer.id = 7;
  ASSERT_TRUE(thin.transfer(transfer) && thin.loss({1, "ring_request", 3}));
  EXPECT_EQ(listed.transfers, std::vector<uint64_t>{7});
  EXPECT_EQ(listed.lost, 3u);
}

TEST(Thinning, is_named_in_words) {
  EXPECT_EQ(Thinning{}.text(), "");
  EXPECT_EQ((Thinning{.misses_only = true}.text()), "misses");
  EXPECT_EQ((Thinning{.one_of = 10}.text()), "1/10");
  EXPECT_EQ((Thinning{.misses_only = true, .one_of = 10}.text()), "misses, 1/10");
  EXPECT_TRUE(Thinning{}.lists_all());
}

}  // namespace
}  // namespace iohops
