// The spool between two threads, on the real file system: order and bytes kept, the disk's room given back.
#include "system/spool.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <span>
#include <thread>
#include <vector>

#include "bpf/wire.h"
#include "system/demand.hpp"

namespace iohops {
namespace {

namespace fs = std::filesystem;
constexpr std::chrono::milliseconds kPatience{100};
constexpr size_t kChunk = size_t{256} << 10;

Status append(Spool& spool, uint64_t number) {
  const std::array<uint64_t, 8> words{number, ~number};
  return spool.append(std::as_bytes(std::span(words)));
}

// Numbers of the records that came out, until it is closed and empty.
std::vector<uint64_t> all_of(Spool& spool) {
  std::vector<uint64_t> numbers;
  Spool::Chunk chunk;
  for (;;) {
    Result<std::optional<Spool::Chunk>> taken = spool.take(std::move(chunk), kPatience);
    if (!taken || !*taken) {
      EXPECT_TRUE(taken);
      return numbers;
    }
    chunk = std::move(**taken);
    for (size_t at = 0; at < chunk.size(); at += 8) {
      EXPECT_EQ(chunk[at + 1], ~chunk[at]);
      numbers.push_back(chunk[at]);
    }
  }
}

void expect_count_to(uint64_t end, const std::vector<uint64_t>& numbers) {
  ASSERT_EQ(numbers.size(), end);
  for (uint64_t i = 0; i < end; i++) ASSERT_EQ(numbers[i], i);
}

TEST(Spool, KeepsTheOrderThroughMemoryAndFile) {
  Spool spool(kChunk, kChunk, fs::temp_directory_path());
  for (uint64_t i = 0; i < 100'000; i++) ASSERT_TRUE(append(spool, i));
  ASSERT_TRUE(spool.close());
  EXPECT_EQ(spool.appended_bytes(), 6'400'000U);
  EXPECT_EQ(spool.backlog_bytes(), 6'400'000U);
  expect_count_to(100'000, all_of(spool));
  EXPECT_EQ(spool.backlog_bytes(), 0U);
}

TEST(Spool, KeepsTheOrderBetweenTwoThreads) {
  Spool spool(2 * kChunk, 2 * kChunk, fs::temp_directory_path());
  spool.open_file(0);
  std::vector<uint64_t> numbers;
  std::thread taker([&] { numbers = all_of(spool); });
  for (uint64_t i = 0; i < 1'000'000; i++) {
    ASSERT_TRUE(append(spool, i));
    if (i % 1000 == 0) {
      ASSERT_TRUE(spool.hand_over());
    }
  }
  ASSERT_TRUE(spool.close());
  taker.join();
  expect_count_to(1'000'000, numbers);
}

TEST(Spool, DropsWhatComesAfterItWasAbandoned) {
  Spool spool(kChunk, kChunk, fs::temp_directory_path());
  ASSERT_TRUE(append(spool, 0));
  spool.abandon();
  ASSERT_TRUE(append(spool, 1));
  ASSERT_TRUE(spool.close());
  EXPECT_TRUE(all_of(spool).empty());
}

// Blocks of the only deleted file that this process has open in `folder`.
int64_t blocks_in(const fs::path& folder) {
  for (const auto& entry : fs::directory_iterator("/proc/self/fd")) {
    std::error_code error;
    const std::string target = fs::read_symlink(entry.path(), error).string();
    struct stat facts {};
    if (!error && target.starts_with(folder.string()) && stat(entry.path().c_str(), &facts) == 0)
      return facts.st_blocks;
  }
  return -1;
}

TEST(Spool, GivesRoomBackAsItIsRead) {
  std::string folder = (fs::temp_directory_path() / "iohops-spool.XXXXXX").string();
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  {
    Spool spool(kChunk, kChunk, folder);
    spool.open_file(0);
    EXPECT_GE(spool.patient_bytes(), spool.memory_bytes());
    for (uint64_t i = 0; i < 500'000; i++) ASSERT_TRUE(append(spool, i));
    ASSERT_TRUE(spool.close());
    const int64_t full = blocks_in(folder);
    ASSERT_GT(full, 32'000'000 / 512 * 9 / 10);
    while (spool.backlog_bytes() > spool.appended_bytes() / 4) ASSERT_TRUE(spool.take({}, kPatience));
    EXPECT_LT(blocks_in(folder), full / 2);
    EXPECT_GT(all_of(spool).size(), 100'000U);
    EXPECT_LE(blocks_in(folder), (1 << 20) / 512);
  }
  fs::remove_all(folder);
}

TEST(Spool, SaysWhereThereIsNoRoomAndKeepsWhatItHas) {
  Spool spool(kChunk, kChunk, "/nonexistent");
  uint64_t appended = 0;
  Status status;
  while (appended < 40'000 && (status = append(spool, appended))) appended++;
  ASSERT_FALSE(status);
  EXPECT_NE(status.error().message.find("TMPDIR"), std::string::npos);
  EXPECT_EQ(spool.patient_bytes(), kChunk);
  EXPECT_FALSE(spool.close());
  expect_count_to(appended, all_of(spool));
}

TEST(Demand, IsSeenWhenMoreThreadsRunThanThereAreCpus) {
  const Demand demand;
  std::atomic<bool> over = false;
  std::vector<std::thread> threads;
  for (long i = 0; i <= sysconf(_SC_NPROCESSORS_ONLN); i++)
    threads.emplace_back([&] { while (!over) {} });
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!demand.exceeds() && std::chrono::steady_clock::now() < limit) {}
  EXPECT_TRUE(demand.exceeds());
  over = true;
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace iohops
