// Values as a person types them: durations, sizes, limits, process ids. Pure text to numbers; every
// error says what was typed and how it should look.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "cli/options.hpp"
#include "core/result.hpp"

namespace iohops {

enum class BareNumber : uint8_t { kSeconds, kRefused };

// "10s", "250ms", "1.5m", "20us", "100ns", "1h", in nanoseconds; more than nothing.
Result<uint64_t> parse_duration(std::string_view text, BareNumber bare);

// "4096", "64K", "64KiB", "1.5M", "2G": powers of 1024.
Result<uint64_t> parse_size(std::string_view text);

// "0", "1000", "0.1%".
Result<LossLimit> parse_loss_limit(std::string_view text);

// Process ids apart by commas or white space, as pidof and pgrep print them; each once.
Result<std::vector<uint32_t>> parse_pids(std::string_view text);

}  // namespace iohops
