#include "core/form.hpp"

#include <string>

namespace iohops {

bool is_compressed(std::string_view path) { return path.ends_with(".zst"); }

Result<Form> form_of(std::string_view path) {
  // Devices have no suffix to pick a form with.
  const bool device = path.starts_with("/dev/") && path.find('/', 5) == std::string_view::npos;
  if (path == "-" || device) return Form::kLines;
  std::string_view stem = path;
  if (is_compressed(path)) stem.remove_suffix(std::string_view(".zst").size());
  if (stem.ends_with(".jsonl")) return Form::kLines;
  if (stem.ends_with(".json")) return Form::kDocument;
  return Error{ErrorKind::kUsage,
               "cannot tell the form of the output from the name " + std::string(path) +
                   ": end it in .jsonl (JSON Lines) or .json (one document), with .zst behind it "
                   "to compress, or write JSON Lines to stdout with -"};
}

}  // namespace iohops
