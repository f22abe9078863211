// The command line: what is typed becomes checked options, or a refusal that says what would be
// right. Nothing is run.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "cli/parse.hpp"
#include "cli/units.hpp"

namespace iohops {
namespace {

using Words = std::vector<std::string>;

Result<Invocation> parse(Words words) {
  words.insert(words.begin(), "iohops");
  Parser parser;
  return parser.parse(words);
}

template <typename Options>
Options parsed(const Words& words) {
  Result<Invocation> invocation = parse(words);
  if (!invocation) {
    ADD_FAILURE() << invocation.error().message;
    return {};
  }
  if (!std::holds_alternative<Options>(*invocation)) {
    ADD_FAILURE() << "another subcommand was chosen";
    return {};
  }
  return std::get<Options>(*invocation);
}

// The message of a refusal; it must be a usage error.
std::string refusal(const Words& words) {
  Result<Invocation> invocation = parse(words);
  if (invocation) {
    ADD_FAILURE() << "accepted";
    return {};
  }
  EXPECT_EQ(invocation.error().exit_code(), 2);
  return invocation.error().message;
}

void expect_in(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << "no \"" << part << "\" in \"" << text << "\"";
}

TEST(Record, takes_its_defaults) {
  const auto options = parsed<RecordOptions>({"record", "-p", "4242"});
  EXPECT_EQ(options.target.pids, std::vector<uint32_t>{4242});
  EXPECT_EQ(options.target.scope(), "pid");
  EXPECT_FALSE(options.target.follow);
  EXPECT_EQ(options.output, "trace.jsonl");
  EXPECT_TRUE(options.raw.empty());
  EXPECT_TRUE(options.filter.empty());
  EXPECT_FALSE(options.duration_ns || options.ring_bytes);
  EXPECT_EQ(options.common.command_line, (Words{"iohops", "record", "-p", "4242"}));
}

TEST(Record, takes_several_processes_in_every_usual_form) {
  const std::vector<uint32_t> expected{1, 2, 3};
  EXPECT_EQ(parsed<RecordOptions>({"record", "-p", "1,2,3"}).target.pids, expected);
  EXPECT_EQ(parsed<RecordOptions>({"record", "-p", "1", "--pid", "2,3,1"}).target.pids, expected);
  EXPECT_EQ(parsed<RecordOptions>({"record", "-p", "1 2\n3\n"}).target.pids, expected);
  EXPECT_EQ(parsed<RecordOptions>({"record", "-p1,2,3"}).target.pids, expected);
}

TEST(Record, everything_behind_two_dashes_is_the_command) {
  const auto options =
      parsed<RecordOptions>({"record", "-o", "x.json", "--", "dd", "-o", "y", "--", "-p", "9"});
  EXPECT_EQ(options.target.command, (Words{"dd", "-o", "y", "--", "-p", "9"}));
  EXPECT_TRUE(options.target.follow);
  EXPECT_EQ(options.target.scope(), "command");
  EXPECT_EQ(options.output, "x.json");
}

TEST(Record, takes_all_its_options) {
  const auto options = parsed<RecordOptions>(
      {"record",      "-a",       "-f",         "-d",        "1.5s",          "--output=-",
       "--raw",       "r.iohops", "--op",       "read,p*64", "--path",        "/a,b/*",
       "--path",      "*.db",     "--dev",      "vda,254:1", "--min-latency", "1ms",
       "--min-bytes", "64K",      "--max-lost", "0.5%",      "--ring",        "3M",
       "-vv",         "--color",  "never"});
  EXPECT_TRUE(options.target.all && options.target.follow);
  EXPECT_EQ(options.duration_ns, 1'500'000'000U);
  EXPECT_EQ(options.output, "-");
  EXPECT_EQ(options.raw, "r.iohops");
  EXPECT_EQ(options.filter.ops, (Words{"read", "p*64"}));
  EXPECT_EQ(options.filter.paths, (Words{"/a,b/*", "*.db"}));  // a path may have commas
  EXPECT_EQ(options.filter.devices, (Words{"vda", "254:1"}));
  EXPECT_EQ(options.filter.min_latency_ns, 1'000'000U);
  EXPECT_EQ(options.filter.min_bytes, 65536U);
  EXPECT_EQ(options.max_lost.percent, 0.5);
  EXPECT_EQ(options.ring_bytes, 4U << 20);  // the next power of two
  EXPECT_EQ(options.common.verbosity, 2);
  EXPECT_EQ(options.common.color, ColorChoice::kNever);
}

TEST(Record, raw_alone_writes_no_json) {
  const auto options = parsed<RecordOptions>({"record", "-a", "--raw", "x.raw"});
  EXPECT_EQ(options.output, "");
  expect_in(refusal({"record", "-a", "-o", "a.json", "--raw", "a.json"}), "same file");
}

TEST(Record, wants_exactly_one_kind_of_target) {
  expect_in(refusal({"record"}), "-p PID[,PID...] (running processes), -- CMD ARG...");
  expect_in(refusal({"record", "-a", "-p", "1"}), "one kind of target, not 2");
  expect_in(refusal({"record", "-a", "-p", "1", "--", "ls"}), "not 3");
  expect_in(refusal({"record", "--"}), "no command after --");
}

TEST(Record, a_command_without_dashes_is_told_where_it_goes) {
  expect_in(refusal({"record", "ls", "-l"}), "iohops record -- ls");
}

TEST(Record, refuses_values_by_saying_what_would_be_right) {
  expect_in(refusal({"record", "-p", "abc"}), "'abc' is not a process id");
  expect_in(refusal({"record", "-p", "0"}), "'0' is not a process id");
  expect_in(refusal({"record", "-p", ","}), "names no process");
  expect_in(refusal({"record", "-a", "-d", "soon"}), "-d: 'soon' is not a duration");
  expect_in(refusal({"record", "-a", "-d", "0"}), "must be more than 0");
  expect_in(refusal({"record", "-a", "--min-latency", "5"}), "write 5ms");
  expect_in(refusal({"record", "-a", "--min-bytes", "64KB"}), "--min-bytes: '64KB' is not a size");
  expect_in(refusal({"record", "-a", "--ring", "1"}), "not between 4K and 1G");
  expect_in(refusal({"record", "-a", "--max-lost", "101%"}), "'101%' is not a limit");
  expect_in(refusal({"record", "-a", "--op", "raed"}), "'raed' is no operation; there are read,");
  expect_in(refusal({"record", "-a", "-o", "trace.txt"}), ".jsonl");
  expect_in(refusal({"record", "-a", "--color", "pink"}), "--color");
  expect_in(refusal({"record", "-a", "-q", "-v"}), "contradict");
  expect_in(refusal({"record", "-a", "-d"}), "iohops record --help");
}

TEST(Refusal, of_an_unknown_option_or_subcommand_suggests_a_near_one) {
  expect_in(refusal({"record", "-a", "--durration", "1s"}),
            "unknown option --durration: did you mean --duration?");
  expect_in(refusal({"record", "-a", "--xyzzy=3"}), "unknown option --xyzzy (iohops record --help");
  expect_in(refusal({"recrod"}), "unknown subcommand 'recrod': did you mean record?");
  expect_in(refusal({"frobnicate"}), "unknown subcommand 'frobnicate' (iohops --help");
  expect_in(refusal({"-p", "1", "record"}), "options go behind the subcommand");
  expect_in(refusal({"--", "ls"}), "iohops record -- CMD");
  expect_in(refusal({"report", "a.jsonl", "b.jsonl"}), "unexpected 'b.jsonl'");
  expect_in(refusal({"doctor", "--", "ls"}), "takes no command");
  expect_in(refusal({"record", "report"}), "iohops record -- report");
}

TEST(Help, is_printed_without_arguments_and_for_each_subcommand) {
  expect_in(parsed<PrintOptions>({}).text, "Exit codes:");
  expect_in(parsed<PrintOptions>({"--help"}).text, "completion");
  for (const DeclaredSubcommand& subcommand : Parser().declared()) {
    const std::string text = parsed<PrintOptions>({subcommand.name, "-h"}).text;
    expect_in(text, std::string("Usage: iohops ") + subcommand.name);
    size_t begin = 0;
    while (begin < text.size()) {
      const size_t end = std::min(text.find('\n', begin), text.size());
      EXPECT_LE(end - begin, 100U) << text.substr(begin, end - begin);
      begin = end + 1;
    }
  }
  EXPECT_EQ(parsed<PrintOptions>({"--version"}).text, "iohops " IOHOPS_VERSION "\n");
}

TEST(Top, watches_everything_without_a_target) {
  EXPECT_TRUE(parsed<TopOptions>({"top"}).target.all);
  const auto options = parsed<TopOptions>(
      {"top", "-p", "7", "-i", "0.5", "-n", "3", "-b", "--sort", "p99", "--op", "read"});
  EXPECT_FALSE(options.target.all);
  EXPECT_EQ(options.interval_ns, 500'000'000U);
  EXPECT_EQ(options.count, 3U);
  EXPECT_TRUE(options.batch);
  EXPECT_EQ(options.sort, "p99");
  EXPECT_EQ(parsed<TopOptions>({"top", "-b", "--", "ls"}).target.command, Words{"ls"});
}

TEST(Record, light_refuses_what_asks_for_system_calls) {
  EXPECT_TRUE(parsed<RecordOptions>({"record", "-a", "--light"}).light);
  EXPECT_TRUE(parsed<RecordOptions>({"record", "-a", "--light", "--dev", "vda"}).light);
  const std::vector<std::pair<std::string, std::vector<std::string>>> others = {
      {"--stdio", {"--stdio"}},          {"--copies", {"--copies", "derived"}}, {"--detail", {"--detail", "misses"}},
      {"--op", {"--op", "read"}},        {"--path", {"--path", "*"}},           {"--min-latency", {"--min-latency", "1ms"}},
      {"--min-bytes", {"--min-bytes", "1"}}};
  for (const auto& [name, arguments] : others) {
    std::vector<std::string> line = {"record", "-a", "--light"};
    line.insert(line.end(), arguments.begin(), arguments.end());
    const std::string said = refusal(line);
    expect_in(said, "--light traces no system calls");
    expect_in(said, name);
  }
}

TEST(Top, refuses_what_its_sums_cannot_tell) {
  expect_in(refusal({"top", "--min-latency", "1ms"}), "unknown option --min-latency");
  expect_in(refusal({"top", "--sort", "colour"}), "'colour' is no column; there are ");
  expect_in(refusal({"top", "-i", "1ms"}), "at least 100ms");
  expect_in(refusal({"top", "-a", "-p", "1"}), "one kind of target");
}

TEST(Report, takes_a_file_or_stdin) {
  const auto options = parsed<ReportOptions>({"report", "-"});
  EXPECT_EQ(options.input, "-");
  EXPECT_EQ(options.output, "-");
  EXPECT_EQ(options.top_n, 10U);
  EXPECT_EQ(options.format, ReportFormat::kText);
  const auto other = parsed<ReportOptions>(
      {"report", "t.json", "--format", "json", "--group-by", "device", "--top", "3", "-o", "out"});
  EXPECT_EQ(other.format, ReportFormat::kJson);
  EXPECT_EQ(other.group_by, GroupBy::kDevice);
  EXPECT_EQ(other.top_n, 3U);
  EXPECT_EQ(other.output, "out");
  expect_in(refusal({"report"}), "iohops report trace.jsonl");
  expect_in(refusal({"report", "x", "--format", "html"}), "--format");
  expect_in(refusal({"report", "x", "--top", "0"}), "--top");
}

TEST(Replay, wants_both_ends) {
  const auto options = parsed<ReplayOptions>({"replay", "a.raw", "-o", "a.jsonl"});
  EXPECT_EQ(options.input, "a.raw");
  EXPECT_EQ(options.output, "a.jsonl");
  expect_in(refusal({"replay", "a.raw"}), "iohops replay RAW -o FILE|-");
  expect_in(refusal({"replay", "-o", "x.json"}), "iohops replay RAW -o FILE|-");
  expect_in(refusal({"replay", "a.raw", "-o", "a.txt"}), ".jsonl");
}

TEST(Completion, knows_three_shells) {
  EXPECT_EQ(parsed<CompletionOptions>({"completion", "zsh"}).shell, Shell::kZsh);
  expect_in(refusal({"completion"}), "bash|zsh|fish");
  expect_in(refusal({"completion", "tcsh"}), "tcsh");
}

TEST(Units, durations_in_every_unit) {
  const std::pair<const char*, uint64_t> cases[] = {
      {"10", 10'000'000'000},    {"10s", 10'000'000'000},
      {"1.5m", 90'000'000'000},  {"2min", 120'000'000'000},
      {"1h", 3'600'000'000'000}, {"250ms", 250'000'000},
      {"20us", 20'000},          {"7ns", 7},
      {".5s", 500'000'000}};
  for (const auto& [text, ns] : cases) {
    auto parsed_ns = parse_duration(text, BareNumber::kSeconds);
    ASSERT_TRUE(parsed_ns) << text;
    EXPECT_EQ(*parsed_ns, ns) << text;
  }
  for (const char* text :
       {"", "s", "-1s", "1e3s", "1 s", "1d", "0s", "0.1ns", "999999999999h", "inf", "nan", "0x10"})
    EXPECT_FALSE(parse_duration(text, BareNumber::kSeconds)) << text;
}

TEST(Units, sizes_are_powers_of_1024) {
  const std::pair<const char*, uint64_t> cases[] = {{"0", 0},          {"4096", 4096},
                                                    {"64k", 65536},    {"64KiB", 65536},
                                                    {"1.5M", 1572864}, {"2G", 2147483648}};
  for (const auto& [text, bytes] : cases) {
    auto parsed_bytes = parse_size(text);
    ASSERT_TRUE(parsed_bytes) << text;
    EXPECT_EQ(*parsed_bytes, bytes) << text;
  }
  for (const char* text : {"", "K", "1KB", "-1", "1.5", "1T", "99999999999G"})
    EXPECT_FALSE(parse_size(text)) << text;
}

TEST(Units, a_loss_limit_counts_records_or_is_a_share) {
  auto none = parse_loss_limit("0");
  ASSERT_TRUE(none);
  EXPECT_TRUE(none->exceeded_by(1, 100));
  EXPECT_FALSE(none->exceeded_by(0, 100));
  auto share = parse_loss_limit("10%");
  ASSERT_TRUE(share);
  EXPECT_FALSE(share->exceeded_by(10, 90));
  EXPECT_TRUE(share->exceeded_by(11, 89));
  auto no_share = parse_loss_limit("0%");
  ASSERT_TRUE(no_share);
  EXPECT_TRUE(no_share->exceeded_by(1, 1'000'000));
  EXPECT_FALSE(LossLimit{}.exceeded_by(1'000'000, 0));
  for (const char* text : {"", "%", "-1", "1.5", "x", "1%%"})
    EXPECT_FALSE(parse_loss_limit(text)) << text;
}

}  // namespace
}  // namespace iohops
