// The vocabulary of the ledger: hops, endpoints, evidence, causes, and their names in every output.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace iohops {

// The strongest first: a figure made of several takes the weakest (the largest value).
enum class Evidence : uint8_t {
  kMeasured,  // a kernel function reported these bytes
  kObserved,  // tracepoints bracket it
  kDerived,   // from the result and the kind of file
  kInferred,  // a heuristic
};

enum class HopKind : uint8_t { kModeSwitch, kCpuCopy, kDma, kMap, kRef, kWait };

enum class Endpoint : uint8_t {
  kUser,
  kStdio,
  kPageCache,
  kSocket,
  kPipe,
  kDevice,
  kNic,
  kBounce,
  kKernel,
};
inline constexpr int kEndpoints = 9;

// Why a request was off the CPU.
enum class WaitReason : uint8_t { kOther, kDevice, kPageLock, kThrottled, kPreempted };
inline constexpr int kWaitReasons = 5;

// Why a device moved bytes.
enum class Cause : uint8_t {
  kRead,
  kReadahead,
  kWriteback,
  kFsync,
  kDirect,
  kJournal,
  kMetadata,
  kReadModifyWrite,
  kSwap,
  kFlush,
  kDiscard,
  kWriteZeroes,
  kTransmit,  // by a network device
  kReceive,
  kUnknown,
};
inline constexpr int kCauses = 15;

enum class Path : uint8_t {
  kBuffered,
  kDirect,
  kMapped,
  kZeroCopy,
  kSocket,
  kPipe,
  kMemory,
  kNone
};
enum class CacheOutcome : uint8_t { kHit, kMiss, kMixed, kBypass, kNone };
enum class Submit : uint8_t { kSyscall, kIoUring, kLibaio, kPageFault, kStdio };

// The names are part of the JSON contract. parse_* is the inverse, nullopt for an unknown name.
std::string_view name(Evidence);
std::string_view name(HopKind);
std::string_view name(Endpoint);
std::string_view name(WaitReason);
std::string_view name(Cause);
std::string_view name(Path);
std::string_view name(CacheOutcome);
std::string_view name(Submit);
std::optional<Evidence> parse_evidence(std::string_view);
std::optional<HopKind> parse_hop_kind(std::string_view);
std::optional<Endpoint> parse_endpoint(std::string_view);
std::optional<WaitReason> parse_wait_reason(std::string_view);
std::optional<Cause> parse_cause(std::string_view);
std::optional<Path> parse_path(std::string_view);
std::optional<CacheOutcome> parse_cache_outcome(std::string_view);
std::optional<Submit> parse_submit(std::string_view);

// One move of a request's data, or one wait. Times are nanoseconds since the start of the trace.
struct Hop {
  HopKind kind = HopKind::kCpuCopy;
  Evidence evidence = Evidence::kDerived;
  Endpoint from = Endpoint::kKernel;
  Endpoint to = Endpoint::kKernel;
  WaitReason reason = WaitReason::kOther;  // kWait only
  uint64_t bytes = 0;
  uint64_t at_ns = 0;
  uint64_t end_ns = 0;
  uint64_t transfer = 0;       // kDma: the transfer's id, 0: none
  uint32_t device = 0;         // kDma: kernel dev_t, 0: none
  std::optional<Cause> cause;  // kDma
};

}  // namespace iohops
