// The JSON Schema of a trace: of one line of the JSON Lines form, and of the document form.
#pragma once

#include <string_view>

namespace iohops {

std::string_view json_schema();  // draft 2020-12, ends in a newline

}  // namespace iohops
