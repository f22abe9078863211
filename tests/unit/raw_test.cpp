// Raw recordings: what is written is read back, and damage is named with its place.
#include "core/raw.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <random>
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

// A short record of a thread, with as many words as its kind says.
std::vector<uint64_t> short_record(uint64_t time, unsigned flags, uint32_t context, uint32_t place,
                                   std::initializer_list<uint64_t> words = {}) {
  wire_same same{};
  same.time_ns = time;
  same.kind = static_cast<uint16_t>(WIRE_SAME | flags);
  same.size = static_cast<uint16_t>(sizeof same + words.size() * 8);
  same.context = context;
  same.duration_ns = 400 + static_cast<uint32_t>(time % 50);
  same.place = place;
  std::vector<uint64_t> record(3);
  std::memcpy(record.data(), &same, sizeof same);
  record.insert(record.end(), words);
  return record;
}

// Writes them, and expects them back; what the file takes for them.
size_t round_trip(const std::vector<std::vector<uint64_t>>& records) {
  Memory memory;
  RawWriter writer(memory);
  EXPECT_TRUE(writer.begin("{}", 1));
  EXPECT_TRUE(writer.flush());
  const size_t before = memory.content.size();
  for (const auto& record : records) EXPECT_TRUE(writer.record(as_record(record)));
  EXPECT_TRUE(writer.flush());
  EXPECT_EQ(writer.records(), records.size());
  RawReader reader(memory);
  EXPECT_TRUE(reader.open());
  for (const auto& record : records) {
    auto read = reader.next();
    if (!read || read->size() != record.size() * 8 || std::memcmp(read->data(), record.data(), read->size()) != 0) {
      ADD_FAILURE() << "record " << &record - records.data();
      break;
    }
  }
  EXPECT_TRUE(reader.next()->empty());
  EXPECT_EQ(reader.offset(), memory.content.size());
  return memory.content.size() - before;
}

TEST(Raw, short_records_are_packed_and_come_back_as_they_were) {
  std::mt19937_64 random(5);
  std::vector<std::vector<uint64_t>> records;
  uint64_t now = 5'000'000'000;
  for (int i = 0; i < 50'000; i++) {
    now += random() % 3000;
    const uint64_t time = random() % 100 == 0 ? now - 2000 : now;  // now and then one is late
    const auto context = static_cast<uint32_t>(WIRE_CONTEXT(100 + random() % 200, random() % 3));
    const auto place = static_cast<uint32_t>(random());
    switch (random() % 7) {
      case 0:
        records.push_back(record_of(time, 24 + random() % 9 * 8));
        break;
      case 1:
        records.push_back(short_record(time, WIRE_SAME_SECTOR | WIRE_SAME_RESULT, context, place, {~0ull}));
        break;
      case 2:
        records.push_back(short_record(time, WIRE_SAME_OF_SLOT(random() % 8) | WIRE_SAME_WORDS, context, 0, {random(), 4096, random() % 4096}));
        break;
      case 3:
        records.push_back(short_record(time, WIRE_SAME_BATCH, context, place, {random() % 2 * now}));
        break;
      case 4:
        records.push_back(short_record(time, 1 | WIRE_SAME_BATCH | WIRE_SAME_WORDS, context, place, {random(), 9, 8, now}));
        break;
      default:
        records.push_back(short_record(time, WIRE_SAME_OF_SLOT(random() % 8) | WIRE_SAME_AHEAD, context, place));
    }
  }
  round_trip(records);
}

TEST(Raw, request_of_a_hot_loop_takes_few_bytes) {
  std::vector<std::vector<uint64_t>> same_page, in_sequence, at_random, by_ring;
  std::mt19937_64 random(4);
  uint64_t now = 5'000'000'000;
  for (uint32_t i = 0; i < 20'000; i++) {
    now += 700 + random() % 300;
    same_page.push_back(short_record(now, WIRE_SAME_AHEAD, 4711, 0));
    in_sequence.push_back(short_record(now, WIRE_SAME_AHEAD, 4711 + i % 2, i / 2 * 65536));
    by_ring.push_back(short_record(now, WIRE_SAME_BATCH | WIRE_SAME_BUFFER, 4711, i % 32 * 4096,
                                   {0x7f0000000000u + i % 32 * 4096, now / 32'000 * 32'000}));
    at_random.push_back(short_record(now, WIRE_SAME_AHEAD, 4711, static_cast<uint32_t>(random() % (1 << 18) * 4096)));
  }
  EXPECT_LE(round_trip(same_page), 6u * 20'000 + 100);
  EXPECT_LE(round_trip(in_sequence), 7u * 20'000 + 200) << "of two threads in turn";
  EXPECT_LE(round_trip(by_ring), 11u * 20'000 + 300) << "in batches of about 32";
  EXPECT_LE(round_trip(at_random), 10u * 20'000 + 200);
}

TEST(Raw, run_that_was_cut_is_read_to_its_last_record) {
  Memory whole;
  RawWriter writer(whole);
  ASSERT_TRUE(writer.begin("{}", 1));
  std::vector<std::vector<uint64_t>> records;
  for (uint64_t i = 0; i < 9; i++)
    records.push_back(short_record(100 + i * 200, WIRE_SAME_AHEAD | WIRE_SAME_BUFFER, 5, static_cast<uint32_t>(i * i << 20), {i << 40}));
  for (const auto& record : records) ASSERT_TRUE(writer.record(as_record(record)));
  ASSERT_TRUE(writer.flush());
  size_t most = 0;
  for (size_t cut = 32 + 8; cut < whole.content.size(); cut++) {
    Memory memory;
    memory.content = whole.content.substr(0, cut);
    RawReader reader(memory);
    ASSERT_TRUE(reader.open());
    size_t count = 0;
    for (;;) {
      auto record = reader.next();
      ASSERT_TRUE(record) << record.error().message;
      if (record->empty()) break;
      ASSERT_LT(count, records.size());
      ASSERT_EQ(std::memcmp(record->data(), records[count++].data(), record->size()), 0);
    }
    EXPECT_EQ(reader.truncated(), cut > 32 + 8);
    EXPECT_GE(count, most) << "more bytes, fewer records";
    most = count;
  }
  EXPECT_GE(most, 8u);
}

TEST(Raw, run_that_does_not_hold_what_it_claims_is_damaged) {
  Memory memory;
  RawWriter writer(memory);
  ASSERT_TRUE(writer.begin("{}", 1));
  for (uint64_t i = 0; i < 3; i++) ASSERT_TRUE(writer.record(as_record(short_record(100 + i, WIRE_SAME_AHEAD, 5, 0))));
  ASSERT_TRUE(writer.flush());
  const size_t count = 32 + 8 + offsetof(wire_header, cpu);
  for (const uint8_t claimed : {0, 200}) {
    memory.content[count] = static_cast<char>(claimed);
    memory.at = 0;
    RawReader reader(memory);
    ASSERT_TRUE(reader.open());
    auto record = reader.next();
    for (int i = 0; record && i < 200; i++) record = reader.next();
    ASSERT_FALSE(record) << int{claimed};
    EXPECT_EQ(record.error().kind, ErrorKind::kDamaged);
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
