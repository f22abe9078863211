#include "cli/units.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <optional>
#include <string>

namespace iohops {
namespace {

struct Unit {
  std::string_view name;
  double factor;
};
constexpr Unit kTimes[] = {{"ns", 1},   {"us", 1e3},   {"ms", 1e6},  {"s", 1e9},
                           {"m", 60e9}, {"min", 60e9}, {"h", 3600e9}};
constexpr Unit kSizes[] = {
    {"", 1},          {"B", 1},           {"K", 1024.0},       {"KIB", 1024.0},
    {"M", 1048576.0}, {"MIB", 1048576.0}, {"G", 1073741824.0}, {"GIB", 1073741824.0}};
constexpr double kLargest = 9.0e18;         // fits into 64 bits
constexpr uint32_t kLargestPid = 1U << 22;  // PID_MAX_LIMIT of 64-bit kernels

Error usage(std::string message) { return {ErrorKind::kUsage, std::move(message)}; }

std::string quote(std::string_view text) { return "'" + std::string(text) + "'"; }

// A decimal number, at the front of `text`, which loses it. No sign, no exponent.
std::optional<double> take_number(std::string_view& text) {
  double value = 0;
  if (text.empty() || (text[0] != '.' && !std::isdigit(static_cast<unsigned char>(text[0]))))
    return std::nullopt;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (error != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return value;
}

template <size_t N>
const Unit* find_unit(const Unit (&units)[N], std::string_view name) {
  const Unit* unit = std::find_if(units, units + N, [&](const Unit& u) { return u.name == name; });
  return unit == units + N ? nullptr : unit;
}

}  // namespace

Result<uint64_t> parse_duration(std::string_view text, BareNumber bare) {
  std::string_view rest = text;
  const auto number = take_number(rest);
  if (number && rest.empty() && bare == BareNumber::kRefused)
    return usage(quote(text) + " has no unit: write " + std::string(text) + "ms, or us, s, m, h");
  const Unit* unit = find_unit(kTimes, rest.empty() ? "s" : rest);
  if (!number || !unit)
    return usage(quote(text) + " is not a duration: write 10s, 250ms, 20us, 5m or 1h");
  const double ns = std::round(*number * unit->factor);
  if (ns < 1) return usage(quote(text) + " is no time at all: it must be more than 0");
  if (ns > kLargest) return usage(quote(text) + " is too long: at most 292 years");
  return static_cast<uint64_t>(ns);
}

Result<uint64_t> parse_size(std::string_view text) {
  std::string_view rest = text;
  const auto number = take_number(rest);
  std::string name(rest);
  for (char& c : name) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  const Unit* unit = find_unit(kSizes, name);
  if (!number || !unit)
    return usage(quote(text) + " is not a size: write 4096, 64K, 1M or 2G (powers of 1024)");
  const double bytes = *number * unit->factor;
  if (bytes > kLargest) return usage(quote(text) + " is too large");
  if (bytes != std::floor(bytes)) return usage(quote(text) + " is not a whole number of bytes");
  return static_cast<uint64_t>(bytes);
}

Result<LossLimit> parse_loss_limit(std::string_view text) {
  LossLimit limit;
  std::string_view rest = text;
  const auto number = take_number(rest);
  if (number && rest == "%" && *number <= 100) {
    limit.percent = *number;
    return limit;
  }
  if (number && rest.empty() && *number == std::floor(*number) && *number < kLargest) {
    limit.records = static_cast<uint64_t>(*number);
    return limit;
  }
  return usage(quote(text) +
               " is not a limit: write a number of records (0, 1000) or a share (1%)");
}

Result<std::vector<uint32_t>> parse_pids(std::string_view text) {
  std::vector<uint32_t> pids;
  constexpr std::string_view kBetween = ", \t\n";
  std::string_view rest = text;
  while (!rest.empty()) {
    const size_t begin = std::min(rest.find_first_not_of(kBetween), rest.size());
    rest.remove_prefix(begin);
    const std::string_view word = rest.substr(0, rest.find_first_of(kBetween));
    rest.remove_prefix(word.size());
    if (word.empty()) break;
    uint32_t pid = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), pid);
    if (error != std::errc() || end != word.data() + word.size() || pid == 0 || pid > kLargestPid)
      return usage(quote(word) + " is not a process id; by name: -p \"$(pgrep -d, NAME)\"");
    if (std::find(pids.begin(), pids.end(), pid) == pids.end()) pids.push_back(pid);
  }
  if (pids.empty()) return usage("-p names no process; by name: -p \"$(pgrep -d, NAME)\"");
  return pids;
}

}  // namespace iohops
