// Measured copies: which of the kernel's copy functions to count so that no byte counts twice, and
// what to believe where they and the derivation differ. Pure.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>

#include "bpf/wire.h"
#include "core/model/hop.hpp"

namespace iohops {

// The known I/O of the check at the start; each moves the same number of bytes.
enum class CopyProbe : uint8_t {
  kFileRead,
  kFileWrite,
  kMemoryRead,  // tmpfs
  kPipeRead,
  kPipeWrite,
  kSocketRead,
  kSocketWrite
};
inline constexpr size_t kCopyProbes = 7;

// What each hook (enum wire_copy_hook) reported while each of the known operations ran.
using CopyObservations = std::array<std::array<uint64_t, WIRE_COPY_HOOKS>, kCopyProbes>;

// What the user wants of hooks on copy functions.
enum class CopyHooks : uint8_t { kAuto, kFexit, kKprobe, kNone };

// For which kinds of files copies are measured.
struct MeasuredCopies {
  bool files = false;
  bool pipes = false;
  bool sockets = false;
  bool any() const { return files || pipes || sockets; }
  bool operator==(const MeasuredCopies&) const = default;
};

struct CopyChoice {
  std::bitset<WIRE_COPY_HOOKS> hooks;  // those to keep
  MeasuredCopies measured;
};

// Keeps a hook unless, with those kept before it, it would count a byte of some operation twice:
// what calls what differs between kernels. One that counted nothing (its file system was not tried)
// stays: where it counts too much or too little, weigh_copy shows it. A kind of file counts as
// measured if its reads and its writes were counted exactly.
CopyChoice choose_copy_hooks(const CopyObservations& seen, uint64_t bytes);

// One request's copy as it was derived, and as it turns out to be.
struct Copy {
  uint64_t bytes = 0;
  Evidence evidence = Evidence::kDerived;
  bool disagrees = false;  // the two differ although both should know: a finding
};

// A hook that the kernel skipped in a way that nobody could know of for this request (a fexit
// program that another task was preempted in) looks as if nothing had been copied. `sees_all`: a
// copy of this kind of file goes through hooked functions (page cache, pipe, socket; not procfs or
// a driver, which use inline code). `measured`: the bytes that they reported.
Copy weigh_copy(const Copy& derived, uint64_t measured, bool sees_all);

}  // namespace iohops
