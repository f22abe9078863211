// The header record as JSON text and back. A raw recording stores its header in this form.
#pragma once

#include <string>
#include <string_view>

#include "core/model/model.hpp"
#include "core/result.hpp"

namespace iohops {

class Fields;

std::string header_json(const Header&);  // one line, no newline
// ErrorKind::kDamaged: no JSON, not a header, a wrong type, or a major version that is not ours.
Result<Header> parse_header(std::string_view text);
Header read_header(Fields&);  // from the parsed object: what is wrong is told by the fields

}  // namespace iohops
