#include "recorded.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>

#include "core/raw.hpp"
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

}  // namespace

RebuildContext Recorded::context() const {
  RebuildContext context = Story::default_context();
  context.start_ns = start_ns;
  return context;
}

Recorded load_stream(std::string_view name) {
  Recorded recorded;
  FileReader file("tests/streams/" + std::string(name) + ".raw");
  EXPECT_TRUE(file.is_open()) << "run from the root of the repository";
  RawReader reader(file);
  const Status opened = reader.open();
  EXPECT_TRUE(opened) << opened.error().message;
  recorded.start_ns = reader.start_ns();
  while (opened) {
    const Result<Record> record = reader.next();
    EXPECT_TRUE(record) << record.error().message;
    if (!record || record->empty()) break;
    Words& words = recorded.records.emplace_back(record->size() / sizeof(uint64_t));
    std::memcpy(words.data(), record->data(), record->size());
  }
  EXPECT_FALSE(reader.truncated());
  return recorded;
}

}  // namespace iohops::test
