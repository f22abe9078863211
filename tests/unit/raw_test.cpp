// Raw recordings: what is written is read back, and damage is named with its place.
#include "core/raw.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

namespace iohops {
namespace {

class Memory : public ByteWriter, public ByteReader {
 public:
  Status write(std::string_view bytes) override {
    if (content.size() + bytes.size() > limit) return Error{ErrorKind::kOutput, "no space"};
    content += bytes;
    return {};
  }
  Status close() override { return {}; }
  Result<size_t> read(std::span<char> into) override {
    const size_t take = std::min({into.size(), step, content.size() - at});
    content.copy(into.data(), take, at);
    at += take;
    return take;
  }

  std::string content;
  size_t limit = SIZE_MAX;
  size_t at = 0;
  size_t step = SIZE_MAX;  // bytes handed out per read
};

std::vector<uint64_t> record_of(uint64_t time, size_t bytes) {
  std::vector<uint64_t> words(bytes / 8, time);
  const wire_header header{time, 999, static_cast<uint16_t>(bytes), 0};
  std::memcpy(words.data(), &header, sizeof header);
  return words;
}

Record as_record(const std::vector<uint64_t>& words) { return std::as_bytes(std::span(words)); }

Memory recording(std::string_view header, size_t records) {
  Memory memory;
  RawWriter writer(memory);
  EXPECT_TRUE(writer.begin(header, 42));
  for (size_t i = 1; i <= records; i++) {
    EXPECT_TRUE(writer.record(as_record(record_of(i, 24 + i % 50 * 8))));
  }
  EXPECT_TRUE(writer.flush());
  EXPECT_EQ(writer.records(), records);
  EXPECT_EQ(writer.bytes(), memory.content.size());
  return memory;
}

TEST(Raw, gives_back_what_was_written) {
  for (const size_t step : {size_t{1}, size_t{7}, size_t{4096}, SIZE_MAX}) {
    Memory memory = recording(R"({"a":1})", step == 1 ? 100 : 20000);
    memory.step = step;
    RawReader reader(memory);
    ASSERT_TRUE(reader.open());
    EXPECT_EQ(reader.header_json(), R"({"a":1})");
    EXPECT_EQ(reader.start_ns(), 42u);
    uint64_t count = 0;
    for (;;) {
      auto record = reader.next();
      ASSERT_TRUE(record) << record.error().message;
      if (record->empty()) break;
      count++;
      const auto expected = record_of(count, record->size());
      ASSERT_EQ(record->size(), 24 + count % 50 * 8);
      ASSERT_EQ(std::memcmp(record->data(), expected.data(), record->size()), 0);
    }
    EXPECT_EQ(count, step == 1 ? 100u : 20000u);
    EXPECT_FALSE(reader.truncated());
    EXPECT_EQ(reader.offset(), memory.content.size());
  }
}

TEST(Raw, header_longer_than_the_buffer_is_read_whole) {
  const std::string header(3 << 20, 'x');
  Memory memory = recording(header, 3);
  RawReader reader(memory);
  ASSERT_TRUE(reader.open());
  EXPECT_EQ(reader.header_json(), header);
  EXPECT_EQ(reader.next()->size(), 32u);
}

TEST(Raw, tail_that_was_cut_is_flagged_and_the_rest_is_whole) {
  const Memory whole = recording("{}", 5);
  size_t last = whole.content.size() - (24 + 5 * 8);
  for (size_t cut = last + 1; cut < whole.content.size(); cut++) {
    Memory memory;
    memory.content = whole.content.substr(0, cut);
    RawReader reader(memory);
    ASSERT_TRUE(reader.open());
    int count = 0;
    for (;;) {
      auto record = reader.next();
      ASSERT_TRUE(record);
      if (record->empty()) break;
      count++;
    }
    EXPECT_EQ(count, 4);
    EXPECT_TRUE(reader.truncated());
    EXPECT_EQ(reader.offset(), last);
  }
}

TEST(Raw, refuses_what_is_no_recording) {
  const Memory whole = recording("{}", 1);
  const auto error_of = [](std::string content) {
    Memory memory;
    memory.content = std::move(content);
    RawReader reader(memory);
    const Status status = reader.open();
    EXPECT_FALSE(status);
    if (status) return std::string();
    EXPECT_EQ(status.error().kind, ErrorKind::kDamaged);
    return status.error().message;
  };
  EXPECT_NE(error_of("").find("too short"), std::string::npos);
  EXPECT_NE(error_of(whole.content.substr(0, 31)).find("too short"), std::string::npos);
  EXPECT_NE(error_of(whole.content.substr(0, 33)).find("header text"), std::string::npos);
  std::string other = whole.content;
  other[0] = 'X';
  EXPECT_NE(error_of(other).find("IOHOPSRW"), std::string::npos);
  std::string swapped = whole.content;
  std::reverse(swapped.begin() + 12, swapped.begin() + 16);
  EXPECT_NE(error_of(swapped).find("byte order"), std::string::npos);
  std::string newer = whole.content;
  newer[8] = 9;
  EXPECT_NE(error_of(newer).find("format 9.1"), std::string::npos);
  std::string endless = whole.content;
  endless.replace(20, 4, 4, '\xff');
  EXPECT_NE(error_of(endless).find("too long"), std::string::npos);
}

TEST(Raw, damage_is_named_with_its_place) {
  Memory memory = recording("{}", 3);
  const size_t second = 32 + 8 + 32;
  memory.content[second + 10] = 3;  // its size
  memory.content[second + 11] = 0;
  RawReader reader(memory);
  ASSERT_TRUE(reader.open());
  ASSERT_TRUE(reader.next());
  const auto record = reader.next();
  ASSERT_FALSE(record);
  EXPECT_EQ(record.error().kind, ErrorKind::kDamaged);
  EXPECT_NE(record.error().message.find("byte " + std::to_string(second)), std::string::npos);
}

TEST(Raw, full_disk_is_reported) {
  Memory memory;
  memory.limit = 100;
  RawWriter writer(memory);
  ASSERT_TRUE(writer.begin("{}", 1));
  ASSERT_TRUE(writer.record(as_record(record_of(1, 80))));
  const Status status = writer.flush();
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().kind, ErrorKind::kOutput);
}

}  // namespace
}  // namespace iohops
