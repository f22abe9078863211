// Form: the shape of a JSON trace, as the suffix of its file name picks it.
#pragma once

#include <string_view>

#include "core/result.hpp"

namespace iohops {

enum class Form { kLines, kDocument };  // JSON Lines; one valid JSON document

// ".jsonl", "-" and a device (/dev/null) are kLines, ".json" is kDocument, each with ".zst" behind
// it when compressed. Another suffix is an ErrorKind::kUsage that names the accepted ones.
Result<Form> form_of(std::string_view path);

// True for a path that ends in ".zst".
bool is_compressed(std::string_view path);

}  // namespace iohops
