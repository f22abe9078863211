// What must hold of a rebuild whatever happened to its records on the way: lost, told twice, out of
// order. The stories are the recordings of tests/streams; a failure prints the seed that repeats it
// (IOHOPS_SEED), IOHOPS_ROUNDS tries for longer.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <random>
#include <set>
#include <string>

#include "ledger.hpp"
#include "recorded.hpp"

namespace iohops::test {
namespace {

const wire_header& header_of(const Words& words) { return *view<wire_header>(as_record(words)); }

bool has_end(const std::vector<Words>& records) {
  return std::any_of(records.begin(), records.end(),
                     [](const Words& words) { return header_of(words).kind == WIRE_END; });
}

void rebuild(const Recorded& recorded, const std::vector<Words>& records, Ledger& ledger) {
  Rebuilder rebuilder(recorded.context(), ledger);
  for (const Words& words : records) {
    const Status status = rebuilder.feed(as_record(words));
    ASSERT_TRUE(status) << status.error().message;
  }
  ASSERT_TRUE(rebuilder.finish(!has_end(records)));
}

uint64_t environment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 0) : otherwise;
}

class RebuildProperty : public testing::TestWithParam<const char*> {};

// One edit: a record goes, comes again later, or changes places.
void damage(std::vector<Words>& records, std::mt19937_64& random) {
  const auto place = [&](size_t from) { return from + random() % (records.size() - from); };
  const size_t at = place(0);
  const auto here = records.begin() + static_cast<ptrdiff_t>(at);
  switch (random() % 3) {
    case 0:
      if (records.size() > 1) records.erase(here);
      break;
    case 1: {
      const Words again = records[at];
      records.insert(records.begin() + static_cast<ptrdiff_t>(place(at)), again);
      break;
    }
    default:
      std::swap(records[at], records[place(0)]);
  }
}

TEST_P(RebuildProperty, whatever_is_dropped_repeated_or_reordered_the_ledger_holds) {
  const Recorded recorded = load_stream(GetParam());
  const uint64_t seed = environment("IOHOPS_SEED", std::random_device{}());
  for (uint64_t round = 0; round < environment("IOHOPS_ROUNDS", 200); round++) {
    std::mt19937_64 random(seed + round);
    std::vector<Words> records = recorded.records;
    for (uint64_t edits = 1 + random() % 6; edits > 0; edits--) damage(records, random);
    Ledger ledger;
    rebuild(recorded, records, ledger);
    for (const std::string& violation : ledger.invariants.violations()) ADD_FAILURE() << violation;
    if (!HasFailure()) continue;
    GTEST_FAIL() << "IOHOPS_SEED=" << seed + round << " IOHOPS_ROUNDS=1 repeats it";
  }
}

// The requests that a record below them belongs to.
std::vector<wire_owner> owners_of(const Words& words) {
  const Record record = as_record(words);
  switch (header_of(words).kind) {
    case WIRE_WAIT:
      return {view<wire_wait>(record)->owner};
    case WIRE_PAGES:
      return {view<wire_pages>(record)->owner};
    case WIRE_BIO:
      return {view<wire_bio>(record)->bio.owner};
    case WIRE_TRANSFER:
      return {prefix<wire_transfer>(record).first.owner};
    default:
      return {};
  }
}

TEST_P(RebuildProperty, a_request_that_lost_a_record_says_so) {
  const Recorded recorded = load_stream(GetParam());
  for (size_t lost = 0; lost < recorded.records.size(); lost++) {
    std::set<std::pair<uint32_t, uint64_t>> hit;
    for (const wire_owner& owner : owners_of(recorded.records[lost]))
      if (owner.start_ns != 0) hit.emplace(owner.tid, owner.start_ns - recorded.start_ns);
    if (hit.empty()) continue;
    std::vector<Words> records = recorded.records;
    records.erase(records.begin() + static_cast<ptrdiff_t>(lost));
    Ledger ledger;
    rebuild(recorded, records, ledger);
    for (const std::string& violation : ledger.invariants.violations()) ADD_FAILURE() << violation;
    for (const Request& request : ledger.requests) {
      if (hit.count({request.tid, request.start_ns}) == 0) continue;
      EXPECT_FALSE(request.complete)
          << "record " << lost << " (kind " << header_of(recorded.records[lost]).kind
          << ") was lost, and " << request.op << " " << request.id.pid << "." << request.id.seq
          << " does not know";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Streams, RebuildProperty, testing::ValuesIn(kStreams),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace iohops::test
