// The schema accepts what the writer writes, in both forms, and refuses what it must.
#include "sinks/schema.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "json_trace.hpp"
#include "sinks/json_writer.hpp"

namespace iohops {
namespace {

namespace fs = std::filesystem;

class Schema : public testing::Test {
 protected:
  void SetUp() override {
    // No skip: `make check` installs it, for the interpreter of the system.
    ASSERT_EQ(std::system("/usr/bin/python3 -c 'import jsonschema'"), 0) << "no python3-jsonschema";
    std::string folder = (fs::temp_directory_path() / "iohops-schema.XXXXXX").string();
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    folder_ = folder;
    write("schema", std::string(json_schema()));
  }
  void TearDown() override {
    if (!folder_.empty()) fs::remove_all(folder_);
  }

  void write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name, std::ios::binary) << text;
  }

  bool valid(const std::string& name, const std::string& options = "--strict") {
    const std::string command = "/usr/bin/python3 tests/schema/validate.py " + options + " " +
                                (folder_ / "schema").string() + " " + (folder_ / name).string() +
                                " >" + (folder_ / "said").string() + " 2>&1";
    const bool ok = std::system(command.c_str()) == 0;
    std::ifstream said(folder_ / "said");
    said_.assign(std::istreambuf_iterator<char>(said), {});
    return ok;
  }

  fs::path folder_;
  std::string said_;
};

std::string sample(Form form, bool with_summary = true) {
  test::MemoryWriter out;
  JsonWriter writer(out, form);
  test::drive_sample(writer);
  const Status summarized = with_summary ? writer.summary(test::sample_summary()) : Status();
  EXPECT_TRUE(summarized);
  EXPECT_TRUE(writer.finish(!with_summary));
  return out.text;
}

TEST_F(Schema, names_every_member_that_the_writer_writes) {
  write("a.jsonl", sample(Form::kLines));
  EXPECT_TRUE(valid("a.jsonl")) << said_;
  write("a.json", sample(Form::kDocument));
  EXPECT_TRUE(valid("a.json")) << said_;
}

TEST_F(Schema, of_a_trace_that_was_cut_short_holds_too) {
  const std::string text = sample(Form::kLines, false);
  write("a.jsonl", text.substr(0, text.size() - 10));
  EXPECT_FALSE(valid("a.jsonl"));
  EXPECT_TRUE(valid("a.jsonl", "--strict --truncated")) << said_;
}

TEST_F(Schema, refuses_wrong_types_missing_members_and_unknown_names) {
  const auto replaced = [](const std::string& piece, const std::string& other) {
    std::string text = sample(Form::kLines);
    const size_t at = text.find(piece);
    EXPECT_NE(at, std::string::npos) << piece;
    return text.replace(at, piece.size(), other);
  };
  const std::vector<std::pair<std::string, std::string>> wrongs{
      {R"("fd":5)", R"("fd":"5")"},
      {R"("fd":5,)", ""},
      {R"("cache":"hit")", R"("cache":"warm")"},
      {R"("evidence":"derived")", R"("evidence":"guessed")"},
      {R"("offset":8192)", R"("offset":-1)"},
      {R"("from":"page_cache")", R"("from":null)"},
      {R"("unattributed_bytes":0)", R"("unattributed_bytes":1)"}};
  std::string names;
  for (size_t i = 0; i < wrongs.size(); ++i) {
    write(std::to_string(i) + ".jsonl", replaced(wrongs[i].first, wrongs[i].second));
    names += (i > 0 ? " " + folder_.string() + "/" : "") + std::to_string(i) + ".jsonl";
  }
  EXPECT_FALSE(valid(names));
  EXPECT_NE(said_.find("0 of 7 traces are valid"), std::string::npos) << said_;
  // A later minor version's member: only the strict mode, for our own output, minds.
  write("a.jsonl", replaced(R"("fd":5,)", R"("fd":5,"colour":1,)"));
  EXPECT_FALSE(valid("a.jsonl"));
  EXPECT_TRUE(valid("a.jsonl", "")) << said_;
}

TEST_F(Schema, holds_for_a_whole_document_and_for_a_line_at_its_root) {
  write("line", sample(Form::kLines).substr(0, sample(Form::kLines).find('\n')));
  write("document", sample(Form::kDocument));
  write("neither", R"({"type":"header"})");
  const auto accepts = [&](const std::string& name) {
    const std::string program =
        "import json,jsonschema,sys;"
        "jsonschema.Draft202012Validator(json.load(open(sys.argv[1]))).validate("
        "json.load(open(sys.argv[2])))";
    return std::system(("/usr/bin/python3 -c '" + program + "' " + (folder_ / "schema").string() +
                        " " + (folder_ / name).string() + " 2>/dev/null")
                           .c_str()) == 0;
  };
  EXPECT_TRUE(accepts("line"));
  EXPECT_TRUE(accepts("document"));
  EXPECT_FALSE(accepts("neither"));
}

}  // namespace
}  // namespace iohops
