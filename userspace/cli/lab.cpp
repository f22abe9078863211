// `iohops lab`: its options. What it does is in lab_run.cpp.
#include <cstdlib>
#include <memory>

#include "cli/arguments.hpp"
#include "cli/grammar.hpp"
#include "cli/subcommand.hpp"
#include "core/lab/paths.hpp"

namespace iohops {
namespace {

struct Arguments {
  CommonArguments common;
  std::vector<std::string> paths;
  std::string directory;
  bool proofs = false;
  bool json = false;
  bool list = false;
};

Status check_names(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (find_lab_path(name) != nullptr) continue;
    const std::string_view near = near_lab_path(name);
    return Error{ErrorKind::kUsage,
                 "lab: there is no path '" + name + "'" +
                     (near.empty() ? "" : "; did you mean " + std::string(near) + "?") +
                     " (iohops lab --list names all)"};
  }
  return {};
}

Result<Invocation> finish(const Arguments& arguments, const Surroundings& surroundings) {
  LabOptions options;
  auto common = arguments.common.finish(surroundings);
  if (!common) return common.error();
  options.common = std::move(*common);
  if (Status known = check_names(arguments.paths); !known) return known.error();
  if (arguments.proofs && !arguments.paths.empty())
    return Error{ErrorKind::kUsage, "lab: --advice runs programs of its own: no PATH with it"};
  options.proofs = arguments.proofs;
  options.paths = arguments.paths;
  if (options.paths.empty())
    for (const LabPath& path : lab_paths()) options.paths.emplace_back(path.name);
  const char* temporary = std::getenv("TMPDIR");
  options.directory = !arguments.directory.empty() ? arguments.directory
                      : temporary != nullptr       ? temporary
                                                   : "/var/tmp";
  options.json = arguments.json;
  options.list = arguments.list;
  return Invocation(std::move(options));
}

}  // namespace

Finish declare_lab(CLI::App& app) {
  const auto arguments = std::make_shared<Arguments>();
  describe(app, "run each known way of moving bytes, and print measured beside textbook",
           "[PATH...] [--advice] [--json] [--list] [--dir DIR]",
           R"help(Examples:
  iohops lab                          all of them
  iohops lab read-write sendfile      the classic, and what saves its copies
  iohops lab --advice                 three programs before and after what advice says
  iohops lab --json | jq '.paths[] | select(.agrees | not)'

Each program moves 4 MiB, through files without a name in DIR, and checks what arrived. CPU copies
and DMA are per byte of payload, mode switches per MiB and per round of the program's loop.
Exit code: 0 every path agrees with the textbook or says why it cannot run here, 1 one differs
(--advice: what was saved is not within 10 % of what was predicted).)help");
  add_values(app, "PATH", arguments->paths, "run these only (--list names them)",
             {"PATH...", "LABPATH"});
  add_flag(app, "--advice", arguments->proofs,
           "is it true? Run programs before and after the advised change");
  add_flag(app, "--json", arguments->json, "one JSON document");
  add_flag(app, "--list", arguments->list, "name the paths and what each does; run nothing");
  add_value(app, "--dir", arguments->directory, "files go there, on its disk ($TMPDIR or /var/tmp)",
            {"DIR", "DIR"});
  arguments->common.declare(app);
  return [arguments](const Surroundings& surroundings) { return finish(*arguments, surroundings); };
}

}  // namespace iohops
