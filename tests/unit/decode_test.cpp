// Decoding trusts no length: every way in which a record can lie is refused, none is followed.
#include "core/decode.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

namespace iohops {
namespace {

std::vector<uint64_t> record_of(uint16_t kind, size_t bytes) {
  std::vector<uint64_t> words(bytes / 8);
  wire_header header{1, kind, static_cast<uint16_t>(bytes), 0};
  std::memcpy(words.data(), &header, sizeof header);
  return words;
}

Record as_record(const std::vector<uint64_t>& words) { return std::as_bytes(std::span(words)); }

TEST(Decode, takes_one_record_after_the_other) {
  std::vector<uint64_t> words = record_of(WIRE_PROCESS_EXIT, 24);
  const auto second = record_of(WIRE_THREAD, 48);
  words.insert(words.end(), second.begin(), second.end());
  Record rest = as_record(words);
  auto first = next_record(rest);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->size(), 24u);
  EXPECT_EQ(view<wire_header>(*first)->kind, WIRE_PROCESS_EXIT);
  auto next = next_record(rest);
  ASSERT_TRUE(next);
  EXPECT_NE(view<wire_thread>(*next), nullptr);
  EXPECT_TRUE(rest.empty());
}

TEST(Decode, refuses_a_header_that_is_cut_short) {
  const auto words = record_of(WIRE_PROCESS_EXIT, 24);
  for (size_t bytes = 0; bytes < 16; bytes++) {
    Record rest = as_record(words).first(bytes);
    const auto record = next_record(rest);
    ASSERT_FALSE(record);
    EXPECT_EQ(record.error().kind, ErrorKind::kDamaged);
    EXPECT_EQ(rest.size(), bytes) << "nothing was taken";
  }
}

TEST(Decode, refuses_sizes_that_cannot_be) {
  for (const uint16_t size : {0, 8, 15, 17, 23, 25, 65535}) {
    auto words = record_of(WIRE_PROCESS_EXIT, 24);
    reinterpret_cast<wire_header*>(words.data())->size = size;
    Record rest = as_record(words);
    EXPECT_FALSE(next_record(rest)) << size;
  }
}

TEST(Decode, refuses_a_record_that_is_longer_than_its_buffer) {
  const auto words = record_of(WIRE_REQUEST, 88);
  Record rest = as_record(words).first(80);
  const auto record = next_record(rest);
  ASSERT_FALSE(record);
  EXPECT_NE(record.error().message.find("cut short after 80"), std::string::npos);
}

TEST(Decode, known_kinds_need_their_fixed_part) {
  constexpr uint16_t kSame = WIRE_SAME;
  const std::pair<uint16_t, size_t> kinds[] = {
      {WIRE_PROCESS, 56}, {WIRE_PROCESS_EXIT, 24}, {WIRE_THREAD, 48}, {WIRE_FILE, 80},
      {WIRE_REQUEST, 88}, {WIRE_PAGES, 72},        {WIRE_WAIT, 48},   {WIRE_TRANSFER, 168},
      {WIRE_BIO, 88},     {WIRE_LOSS, 32},         {WIRE_END, 96},
      {kSame, 24},        {kSame | WIRE_SAME_RESULT, 32}, {kSame | WIRE_SAME_WORDS, 48},
      {kSame | WIRE_SAME_BATCH, 32}, {kSame | WIRE_SAME_BATCH | WIRE_SAME_WORDS, 56},
  };
  for (const auto& [kind, bytes] : kinds) {
    EXPECT_TRUE(check_record(as_record(record_of(kind, bytes)))) << kind;
    EXPECT_TRUE(check_record(as_record(record_of(kind, bytes + 8)))) << "longer than known";
    EXPECT_FALSE(check_record(as_record(record_of(kind, bytes - 8)))) << kind;
  }
  EXPECT_TRUE(check_record(as_record(record_of(999, 16)))) << "unknown kinds are skipped";
}

TEST(Decode, detail_must_be_there_if_it_is_announced) {
  auto words = record_of(WIRE_REQUEST, sizeof(wire_request));
  reinterpret_cast<wire_request*>(words.data())->flags = WIRE_REQUEST_DETAIL;
  EXPECT_FALSE(check_record(as_record(words)));
  words = record_of(WIRE_REQUEST, sizeof(wire_request_detail));
  reinterpret_cast<wire_request*>(words.data())->flags = WIRE_REQUEST_DETAIL;
  EXPECT_TRUE(check_record(as_record(words)));
}

TEST(Decode, paths_end_inside_their_record) {
  auto words = record_of(WIRE_FILE, sizeof(wire_file) + 8);
  auto* file = reinterpret_cast<wire_file*>(words.data());
  char* path = reinterpret_cast<char*>(words.data()) + sizeof(wire_file);
  std::memcpy(path, "a\0b\0cccc", 8);
  file->path_bytes = 4;
  EXPECT_TRUE(check_record(as_record(words)));
  file->path_bytes = 0;
  EXPECT_TRUE(check_record(as_record(words)));
  file->path_bytes = 8;
  EXPECT_FALSE(check_record(as_record(words))) << "no NUL at its end";
  file->path_bytes = 9;
  EXPECT_FALSE(check_record(as_record(words)));
  file->path_bytes = UINT32_MAX;
  EXPECT_FALSE(check_record(as_record(words)));
}

TEST(Decode, badly_aligned_bytes_are_no_record) {
  std::vector<uint64_t> words(8);
  auto* bytes = reinterpret_cast<std::byte*>(words.data()) + 4;
  const wire_header header{1, WIRE_PROCESS_EXIT, 24, 0};
  std::memcpy(bytes, &header, sizeof header);
  EXPECT_FALSE(check_record({bytes, 24}));
  EXPECT_EQ(view<wire_header>(Record{bytes, 24}), nullptr);
}

}  // namespace
}  // namespace iohops
