// The names of the vocabulary, and their inverses. The position in a table is the enumerator's
// value.
#include "core/model/hop.hpp"

#include <array>
#include <cstddef>

namespace iohops {
namespace {

constexpr std::array<std::string_view, 4> kEvidenceNames{"measured", "observed", "derived",
                                                         "inferred"};
constexpr std::array<std::string_view, 6> kHopKindNames{"mode_switch", "cpu_copy", "dma",
                                                        "map",         "ref",      "wait"};
constexpr std::array<std::string_view, kEndpoints> kEndpointNames{
    "user", "stdio", "page_cache", "socket", "pipe", "device", "nic", "bounce", "kernel"};
constexpr std::array<std::string_view, kWaitReasons> kWaitReasonNames{
    "other", "device", "page_lock", "throttled", "preempted"};
constexpr std::array<std::string_view, kCauses> kCauseNames{
    "read",     "readahead",         "writeback", "fsync", "direct",  "journal",
    "metadata", "read_modify_write", "swap",      "flush", "discard", "write_zeroes",
    "transmit", "receive",           "unknown"};
constexpr std::array<std::string_view, 8> kPathNames{"buffered", "direct", "mapped", "zero_copy",
                                                     "socket",   "pipe",   "memory", "none"};
constexpr std::array<std::string_view, 5> kCacheNames{"hit", "miss", "mixed", "bypass", "none"};
constexpr std::array<std::string_view, 5> kSubmitNames{"syscall", "io_uring", "libaio",
                                                       "page_fault", "stdio"};

template <typename Enum, size_t N>
std::string_view name_in(const std::array<std::string_view, N>& names, Enum value) {
  const auto index = static_cast<size_t>(value);
  return index < N ? names[index] : std::string_view("unknown");
}

template <typename Enum, size_t N>
std::optional<Enum> value_in(const std::array<std::string_view, N>& names, std::string_view text) {
  for (size_t i = 0; i < N; ++i) {
    if (names[i] == text) return static_cast<Enum>(i);
  }
  return std::nullopt;
}

}  // namespace

std::string_view name(Evidence value) { return name_in(kEvidenceNames, value); }
std::string_view name(HopKind value) { return name_in(kHopKindNames, value); }
std::string_view name(Endpoint value) { return name_in(kEndpointNames, value); }
std::string_view name(WaitReason value) { return name_in(kWaitReasonNames, value); }
std::string_view name(Cause value) { return name_in(kCauseNames, value); }
std::string_view name(Path value) { return name_in(kPathNames, value); }
std::string_view name(CacheOutcome value) { return name_in(kCacheNames, value); }
std::string_view name(Submit value) { return name_in(kSubmitNames, value); }

std::optional<Evidence> parse_evidence(std::string_view text) {
  return value_in<Evidence>(kEvidenceNames, text);
}
std::optional<HopKind> parse_hop_kind(std::string_view text) {
  return value_in<HopKind>(kHopKindNames, text);
}
std::optional<Endpoint> parse_endpoint(std::string_view text) {
  return value_in<Endpoint>(kEndpointNames, text);
}
std::optional<WaitReason> parse_wait_reason(std::string_view text) {
  return value_in<WaitReason>(kWaitReasonNames, text);
}
std::optional<Cause> parse_cause(std::string_view text) {
  return value_in<Cause>(kCauseNames, text);
}
std::optional<Path> parse_path(std::string_view text) { return value_in<Path>(kPathNames, text); }
std::optional<CacheOutcome> parse_cache_outcome(std::string_view text) {
  return value_in<CacheOutcome>(kCacheNames, text);
}
std::optional<Submit> parse_submit(std::string_view text) {
  return value_in<Submit>(kSubmitNames, text);
}

}  // namespace iohops
