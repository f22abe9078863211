#include "cli/parse.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <numeric>
#include <string_view>
#include <utility>

#include "cli/grammar.hpp"

namespace iohops {
namespace {

constexpr Subcommand kSubcommands[] = {
    {"record", declare_record, true},          {"top", declare_top, true},
    {"report", declare_report, false},         {"explain", declare_explain, false},
    {"diff", declare_diff, false},             {"replay", declare_replay, false},
    {"lab", declare_lab, false},               {"doctor", declare_doctor, false},
    {"schema", declare_schema, false},         {"completion", declare_completion, false},
};

constexpr const char* kExamples =
    R"(Examples:
  sudo iohops record -p 4242 -d 10s -o trace.jsonl    trace a process for 10 s, then
  iohops report trace.jsonl                           read what its bytes went through
  sudo iohops record -- dd if=/dev/vda of=/dev/null bs=1M count=64
  sudo iohops top                                     watch everything, live
  iohops doctor                                       what this kernel allows

Exit codes: 0 ok, 1 run-time failure, 2 usage, 3 the kernel cannot, 4 no permission,
  5 no such target, 6 output could not be written, 7 lossy beyond --max-lost, 8 damaged
  input. With -- CMD the command's own (125-127: it could not be started).)";

Error usage(std::string message) { return {ErrorKind::kUsage, std::move(message)}; }

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row.back();
}

// ": did you mean WORD?" if one of them is near, else empty.
std::string suggestion(const std::string& typed, const std::vector<std::string>& words) {
  const std::string* nearest = nullptr;
  size_t distance = std::max<size_t>(typed.size() / 3, 1) + 1;
  for (const std::string& word : words)
    if (const size_t d = edit_distance(typed, word); d < distance) {
      distance = d;
      nearest = &word;
    }
  return nullptr == nearest ? std::string() : ": did you mean " + *nearest + "?";
}

std::vector<std::string> names_of(const CLI::Option& option) {
  std::vector<std::string> names;
  for (const std::string& name : option.get_snames()) names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) names.push_back("--" + name);
  return names;
}

std::vector<std::string> option_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options())
    for (std::string& name : names_of(*option)) names.push_back(std::move(name));
  return names;
}

// A word that nothing took.
Error unexpected(const CLI::App& sub, const Subcommand& subcommand, const std::string& word) {
  const std::string name = subcommand.name;
  if (word.size() > 1 && word[0] == '-') {
    const std::string bare = word.substr(0, word.find('='));
    return usage("unknown option " + bare + suggestion(bare, option_names(sub)) + " (iohops " +
                 name + " --help lists them)");
  }
  if (subcommand.takes_command)
    return usage("unexpected '" + word + "': a command to trace goes behind --: iohops " + name +
                 " -- " + word + " ...");
  return usage("unexpected '" + word + "' (iohops " + name + " --help)");
}

Error unknown_subcommand(const std::string& word) {
  std::vector<std::string> names;
  for (const Subcommand& subcommand : kSubcommands) names.push_back(subcommand.name);
  if (word.size() > 1 && word[0] == '-')
    return usage("unknown option " + word + " (iohops --help; options go behind the subcommand)");
  return usage("unknown subcommand '" + word + "'" + suggestion(word, names) +
               " (iohops --help lists them)");
}

// The first sentence of what the parser says, as the end of ours.
std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

}  // namespace

Parser::Parser()
    : app_(std::make_unique<CLI::App>(
          "iohops shows, for every I/O request of a process, each hop of the data between it and "
          "the\ndevice: mode switches, CPU copies, DMA transfers, page mappings, and waits.",
          "iohops")) {
  app_->set_help_flag("-h,--help", "this text");
  app_->add_flag("-V,--version", version_, "print the version");
  app_->require_subcommand(0, 1);
  app_->allow_extras();
  set_help(*app_, "SUBCOMMAND ...", kExamples);
  for (const Subcommand& subcommand : kSubcommands) {
    CLI::App* sub = app_->add_subcommand(subcommand.name);
    sub->set_help_flag();  // none yet: it would pull its group to the front
    sub->allow_extras();
    finishes_.push_back(subcommand.declare(*sub));
    sub->set_help_flag("-h,--help", "this text")->group(kCommonGroup);
  }
}

Parser::~Parser() = default;

std::vector<DeclaredSubcommand> Parser::declared() const {
  std::vector<DeclaredSubcommand> all;
  for (const Subcommand& subcommand : kSubcommands) {
    const CLI::App* sub = app_->get_subcommand(subcommand.name);
    DeclaredSubcommand declared{
        subcommand.name, sub->get_description(), subcommand.takes_command, {}};
    for (const CLI::Option* option : sub->get_options())
      declared.options.push_back({names_of(*option), option->get_description(),
                                  option->get_type_name(), option->get_items_expected_max() != 0});
    all.push_back(std::move(declared));
  }
  return all;
}

Result<Invocation> Parser::parse(const std::vector<std::string>& argv) {
  Surroundings surroundings;
  surroundings.command_line = argv;
  // Split here and not by the parser: nothing behind the first `--` is an option of ours.
  const auto dashes = std::find(argv.begin(), argv.end(), "--");
  if (dashes != argv.end()) surroundings.command.emplace(dashes + 1, argv.end());
  std::vector<std::string> words(std::min(argv.begin() + 1, argv.end()), dashes);
  std::reverse(words.begin(), words.end());  // the parser takes them off the back
  try {
    app_->parse(words);
  } catch (const CLI::CallForHelp&) {
    return Invocation(PrintOptions{app_->help()});
  } catch (const CLI::ParseError& error) {
    const auto chosen = app_->get_subcommands();
    const std::string name = chosen.empty() ? "" : " " + chosen.front()->get_name();
    return usage(first_line(error.what()) + " (iohops" + name + " --help)");
  }
  return choose(surroundings);
}

Result<Invocation> Parser::choose(const Surroundings& surroundings) {
  if (version_) return Invocation(PrintOptions{std::string("iohops ") + IOHOPS_VERSION + "\n"});
  if (const auto extras = app_->remaining(); !extras.empty())
    return unknown_subcommand(extras.front());
  const auto chosen = app_->get_subcommands();
  if (chosen.empty()) {
    if (surroundings.command)
      return usage("-- CMD needs a subcommand: iohops record -- CMD ARG...");
    return Invocation(PrintOptions{app_->help()});
  }
  for (size_t i = 0; i < finishes_.size(); ++i) {
    const Subcommand& subcommand = kSubcommands[i];
    if (chosen.front()->get_name() != subcommand.name) continue;
    if (const auto extras = chosen.front()->remaining(); !extras.empty())
      return unexpected(*chosen.front(), subcommand, extras.front());
    if (surroundings.command && !subcommand.takes_command)
      return usage(std::string("iohops ") + subcommand.name + " takes no command behind --");
    return finishes_[i](surroundings);
  }
  return usage("unknown subcommand");  // can't happen: the parser knows only those of the table
}

}  // namespace iohops
