// Text as JSON strings. Names come from the kernel and may hold any byte: they leave as valid UTF-8
// without a raw control character, and the bytes themselves can be kept beside in base64.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace iohops {

// Printable ASCII without quote and backslash: it can stand between quotes as it is.
bool is_plain(std::string_view text);
bool is_utf8(std::string_view text);

// With its quotes. Invalid UTF-8 becomes U+FFFD. Text with a character that moves a terminal's
// cursor or reorders a line (C1, DEL, bidi marks) is written in \u escapes, other text as it is.
std::string json_quote(std::string_view text);
// The same for a whole value, on one line.
std::string json_dump(const nlohmann::ordered_json& value);

// Adds a name that may hold any byte, with its raw bytes beside it (key_b64) if it is not UTF-8.
void put_name(nlohmann::ordered_json& object, const std::string& key, std::string_view raw);

std::string base64(std::string_view bytes);
std::optional<std::string> from_base64(std::string_view text);

// "EIO" for -5; empty for what is not a common errno.
std::string_view errno_name(int64_t negative_errno);

}  // namespace iohops
