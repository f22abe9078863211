// Recordings of real programs on a real kernel (tests/streams, see its README.md), rebuilt and
// compared with goldens.
#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "core/raw.hpp"
#include "golden.hpp"
#include "script.hpp"

namespace iohops::test {
namespace {

class FileReader : public ByteReader {
 public:
  explicit FileReader(const std::string& path) : in_(path, std::ios::binary) {}
  bool is_open() const { return in_.is_open(); }
  Result<size_t> read(std::span<char> into) override {
    in_.read(into.data(), static_cast<std::streamsize>(into.size()));
    return static_cast<size_t>(in_.gcount());
  }

 private:
  std::ifstream in_;
};

class RebuildGolden : public testing::TestWithParam<const char*> {};

TEST_P(RebuildGolden, recording_gives_the_ledger_that_was_checked) {
  const std::string name = GetParam();
  FileReader file("tests/streams/" + name + ".raw");
  ASSERT_TRUE(file.is_open()) << "run from the root of the repository";
  RawReader reader(file);
  ASSERT_TRUE(reader.open());
  RebuildContext context = Story::default_context();
  context.start_ns = reader.start_ns();
  Ledger ledger;
  Rebuilder rebuilder(context, ledger);
  for (;;) {
    auto record = reader.next();
    ASSERT_TRUE(record) << record.error().message;
    if (record->empty()) break;
    const Status status = rebuilder.feed(*record);
    ASSERT_TRUE(status) << status.error().message;
  }
  ASSERT_TRUE(rebuilder.finish(false));
  EXPECT_FALSE(reader.truncated());
  for (const std::string& violation : ledger.invariants.violations()) ADD_FAILURE() << violation;
  const auto& counters = rebuilder.counters();
  expect_golden("stream_" + name + ".txt",
                ledger.text() + "absorbed " + std::to_string(counters.absorbed_bytes) +
                    " pending " + std::to_string(counters.pending_bytes) + " writeback " +
                    std::to_string(counters.writeback_bytes) + "\n");
}

INSTANTIATE_TEST_SUITE_P(Streams, RebuildGolden,
                         testing::Values("cold_sequential", "direct_read", "fork", "fsync",
                                         "interrupted_read", "mmap_cold", "overwrite_then_sync",
                                         "pipe_and_socket", "read_modify_write"),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace iohops::test
