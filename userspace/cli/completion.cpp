// `iohops completion SHELL`: a completion script made from the parser's own tree, so that it cannot
// disagree with it.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <string_view>

#include "cli/arguments.hpp"
#include "cli/grammar.hpp"
#include "cli/parse.hpp"
#include "cli/run.hpp"
#include "cli/subcommand.hpp"
#include "core/lab/paths.hpp"
#include "core/ops.hpp"
#include "core/top/columns.hpp"

namespace iohops {
namespace {

// What an option's value is completed with.
enum class Kind { kNone, kFree, kFile, kPid, kDevice, kChoice };

struct Word {
  std::vector<std::string> names;  // "-p", "--pid"; empty for a positional
  std::string description;
  Kind kind = Kind::kNone;
  std::vector<std::string> choices;
};

struct Branch {
  std::string name;
  std::string description;
  bool takes_command = false;
  std::vector<Word> words;
};

// The set of a check such as IsMember stands in the type's name: "TEXT:{auto,always,never}".
std::vector<std::string> choices_of(const std::string& type) {
  std::vector<std::string> choices;
  const size_t open = type.find('{');
  const size_t close = type.find('}');
  if (open == std::string::npos || close == std::string::npos) return choices;
  std::string_view rest = std::string_view(type).substr(open + 1, close - open - 1);
  while (!rest.empty()) {
    const std::string_view word = rest.substr(0, rest.find(','));
    choices.emplace_back(word);
    rest.remove_prefix(std::min(word.size() + 1, rest.size()));
  }
  return choices;
}

std::vector<std::string> all_ops() {
  const std::vector<std::string_view> names = op_names();
  return {names.begin(), names.end()};
}

Word word_of(const DeclaredOption& option) {
  Word word;
  word.names = option.names;
  word.description = option.description;
  std::replace(word.description.begin(), word.description.end(), '\n', ' ');
  const std::string& type = option.type;
  word.choices = choices_of(type);
  if (type == "OP") word.choices = all_ops();
  if (type == "LABPATH")
    for (const LabPath& path : lab_paths()) word.choices.emplace_back(path.name);
  if (type == "COLUMN")
    for (const TopColumnInfo& column : top_columns()) word.choices.emplace_back(column.key);
  word.kind = !option.takes_value     ? Kind::kNone
              : !word.choices.empty() ? Kind::kChoice
              : type == "FILE"        ? Kind::kFile
              : type == "PID"         ? Kind::kPid
              : type == "DEVICE"      ? Kind::kDevice
                                      : Kind::kFree;
  return word;
}

std::vector<Branch> branches() {
  std::vector<Branch> all;
  for (const DeclaredSubcommand& sub : Parser().declared()) {
    Branch branch{sub.name, sub.description, sub.takes_command, {}};
    for (const DeclaredOption& option : sub.options) branch.words.push_back(word_of(option));
    all.push_back(std::move(branch));
  }
  return all;
}

std::string join(const std::vector<std::string>& words, std::string_view between) {
  return fmt::format("{}", fmt::join(words, between));
}

// As a word in single quotes.
std::string shell_word(std::string_view text) {
  std::string out = "'";
  for (char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

// ---- bash

// The command of a case arm that offers values.
std::string bash_values(const Word& word) {
  switch (word.kind) {
    case Kind::kFile:
      return "compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- \"$cur\"))";
    case Kind::kPid:
      return "COMPREPLY=($(compgen -W \"$(cd /proc && echo [0-9]*)\" -- \"$cur\"))";
    case Kind::kDevice:
      return "COMPREPLY=($(compgen -W \"$(ls /sys/class/block 2>/dev/null)\" -- \"$cur\"))";
    case Kind::kChoice:
      return fmt::format("COMPREPLY=($(compgen -W {} -- \"$cur\"))",
                         shell_word(join(word.choices, " ")));
    default:
      return "COMPREPLY=()";
  }
}

std::string bash_branch(const Branch& branch) {
  std::string text = fmt::format("    {})\n      case \"$prev\" in\n", branch.name);
  std::vector<std::string> names;
  std::string positional = "COMPREPLY=()";
  for (const Word& word : branch.words) {
    names.insert(names.end(), word.names.begin(), word.names.end());
    if (word.names.empty())
      positional = bash_values(word);
    else if (word.kind != Kind::kNone)
      text += fmt::format("        {}) {}; return ;;\n", join(word.names, "|"), bash_values(word));
  }
  text += fmt::format(
      "      esac\n      if [[ \"$cur\" == -* ]]; then\n"
      "        COMPREPLY=($(compgen -W {} -- \"$cur\"))\n      else\n        {}\n      fi ;;\n",
      shell_word(join(names, " ")), positional);
  return text;
}

std::string bash_script(const std::vector<Branch>& all) {
  std::vector<std::string> names;
  std::string commands;
  for (const Branch& branch : all) {
    names.push_back(branch.name);
    if (branch.takes_command) commands += (commands.empty() ? "" : "|") + branch.name;
  }
  std::string text = fmt::format(
      R"(# bash completion of iohops, made by `iohops completion bash`
_iohops() {{
  local cur="${{COMP_WORDS[COMP_CWORD]}}" prev="${{COMP_WORDS[COMP_CWORD-1]}}" i
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    COMPREPLY=($(compgen -W {} -- "$cur"))
    return
  fi
  for ((i = 2; i < COMP_CWORD; i++)); do
    if [[ "${{COMP_WORDS[i]}}" == -- ]]; then  # behind it stands another command
      if declare -F _command_offset >/dev/null; then
        _command_offset $((i + 1))
      elif ((COMP_CWORD == i + 1)); then
        COMPREPLY=($(compgen -c -- "$cur"))
      else
        compopt -o filenames 2>/dev/null
        COMPREPLY=($(compgen -f -- "$cur"))
      fi
      return
    fi
  done
  case "${{COMP_WORDS[1]}}" in
)",
      shell_word(join(names, " ") + " --help --version"));
  for (const Branch& branch : all) text += bash_branch(branch);
  return text + "  esac\n}\ncomplete -F _iohops iohops\n";
}

// ---- zsh

// Colons and brackets have a meaning in _arguments specs.
std::string zsh_escaped(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == ':' || c == '[' || c == ']') out += '\\';
    out += c;
  }
  return out;
}

std::string zsh_values(const Word& word) {
  switch (word.kind) {
    case Kind::kFile:
      return ":file:_files";
    case Kind::kPid:
      return ":pid:_pids";
    case Kind::kDevice:
      return ":device:(${(f)\"$(ls /sys/class/block 2>/dev/null)\"})";
    case Kind::kChoice:
      return ":value:(" + join(word.choices, " ") + ")";
    case Kind::kFree:
      return ":value:";
    case Kind::kNone:
      break;
  }
  return "";
}

std::string zsh_branch(const Branch& branch) {
  std::string text = fmt::format("    {})\n      _arguments -s", branch.name);
  for (const Word& word : branch.words) {
    if (word.names.empty()) {
      text += " \\\n        " + shell_word("1" + zsh_values(word));
      continue;
    }
    for (const std::string& name : word.names)
      text +=
          " \\\n        " + shell_word(fmt::format("*{}[{}]{}", name, zsh_escaped(word.description),
                                                   zsh_values(word)));
  }
  if (branch.takes_command) text += " \\\n        '*:::command:_normal'";
  return text + " ;;\n";
}

std::string zsh_script(const std::vector<Branch>& all) {
  std::string text =
      "#compdef iohops\n# zsh completion of iohops, made by `iohops completion zsh`\n_iohops() {\n"
      "  local -a commands=(\n";
  for (const Branch& branch : all)
    text +=
        fmt::format("    {}\n", shell_word(branch.name + ":" + zsh_escaped(branch.description)));
  text +=
      "  )\n  if ((CURRENT == 2)); then\n    _describe -t commands 'iohops subcommand' commands\n"
      "    return\n  fi\n  local subcommand=$words[2]\n  shift words\n  ((CURRENT--))\n"
      "  case $subcommand in\n";
  for (const Branch& branch : all) text += zsh_branch(branch);
  return text + "  esac\n}\n_iohops \"$@\"\n";
}

// ---- fish

std::string fish_values(const Word& word) {
  switch (word.kind) {
    case Kind::kFile:
      return " -r -F";
    case Kind::kPid:
      return " -x -a '(__fish_complete_pids)'";
    case Kind::kDevice:
      return " -x -a '(ls /sys/class/block)'";
    case Kind::kChoice:
      return " -x -a " + shell_word(join(word.choices, " "));
    case Kind::kFree:
      return " -x";
    case Kind::kNone:
      break;
  }
  return "";
}

std::string fish_script(const std::vector<Branch>& all) {
  std::string text =
      "# fish completion of iohops, made by `iohops completion fish`\n"
      "complete -c iohops -f\n";
  for (const Branch& branch : all) {
    text += fmt::format("complete -c iohops -n __fish_use_subcommand -a {} -d {}\n", branch.name,
                        shell_word(branch.description));
    for (const Word& word : branch.words) {
      text += fmt::format("complete -c iohops -n '__fish_seen_subcommand_from {}'", branch.name);
      for (const std::string& name : word.names)
        text += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
      text += fish_values(word) + " -d " + shell_word(word.description) + "\n";
    }
  }
  return text;
}

}  // namespace

Finish declare_completion(CLI::App& app) {
  const auto shell = std::make_shared<std::string>();
  describe(app, "print a completion script for a shell", "bash|zsh|fish", R"(Examples:
  iohops completion bash > /etc/bash_completion.d/iohops
  iohops completion zsh > "${fpath[1]}/_iohops"
  iohops completion fish > ~/.config/fish/completions/iohops.fish)");
  add_choice(app, "SHELL", *shell, "bash, zsh or fish", {"bash", "zsh", "fish"});
  return [shell](const Surroundings&) -> Result<Invocation> {
    if (shell->empty())
      return Error{ErrorKind::kUsage, "for which shell? iohops completion bash|zsh|fish"};
    return Invocation(CompletionOptions{*shell == "bash"  ? Shell::kBash
                                        : *shell == "zsh" ? Shell::kZsh
                                                          : Shell::kFish});
  };
}

Result<int> run_completion(const CompletionOptions& options) {
  const std::vector<Branch> all = branches();
  switch (options.shell) {
    case Shell::kBash:
      return print(bash_script(all));
    case Shell::kZsh:
      return print(zsh_script(all));
    case Shell::kFish:
      break;
  }
  return print(fish_script(all));
}

}  // namespace iohops
