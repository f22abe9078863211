// What a trace consists of once it has been rebuilt: passive data, one struct per JSON record type.
// All *_ns are nanoseconds since the start of the trace. string_views live as long as the call that
// hands the record over: a sink that keeps one copies it.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/model/hop.hpp"

namespace iohops {

inline constexpr std::string_view kFormatVersion = "1.0";

// `pid.seq`: the sequence counts a process's requests in the order in which the trace first
// mentions them. Never random, never reused within a trace.
struct RequestId {
  uint32_t pid = 0;
  uint64_t seq = 0;
  auto operator<=>(const RequestId&) const = default;
};

struct Device {
  uint32_t id = 0;  // kernel dev_t: major << 20 | minor
  std::string name;
  std::string driver;  // empty: unknown
  bool dma = false;    // its driver moves data by DMA (loop, zram, brd, ... do not)
  uint32_t logical_block_size = 512;
  uint32_t disk = 0;  // of a partition: its whole disk; 0: it is one itself
};

// Network devices have no dev_t: one of a major number that the kernel gives to nobody, and the
// interface index.
inline constexpr uint32_t kNetworkMajor = 4095;
inline constexpr uint32_t network_device(uint32_t ifindex) {
  return kNetworkMajor << 20 | (ifindex & 0xfffffU);
}

struct Target {
  uint32_t pid = 0;
  std::string comm;
};

struct MissingHook {
  std::string hook;
  std::string reason;
  std::string effect;  // what is lost without it
};

struct Header {
  std::string tool_version;
  std::vector<std::string> command_line;
  std::string host;
  std::string kernel;      // uname release
  std::string machine;     // uname machine
  std::string start_time;  // RFC 3339, UTC, nanoseconds
  std::string clock = "monotonic";
  uint32_t page_size = 4096;
  uint32_t cpus = 1;
  std::string scope;  // "pid", "command" or "all"
  bool redacted = false;  // names are hashes
  std::string thinned;    // Thinning::text(): not every request is listed
  bool light = false;     // no system calls: the requests are page faults alone
  std::vector<Target> targets;
  std::vector<Device> devices;
  std::vector<std::string> hooks;
  std::vector<MissingHook> missing_hooks;
  std::map<std::string, std::pair<Evidence, std::string>>
      evidence;  // figure -> grade, why not better
};

struct Process {
  uint32_t pid = 0;
  uint32_t ns_pid = 0;
  uint32_t parent = 0;
  std::string comm;       // raw bytes, not escaped
  uint64_t start_ns = 0;  // 0: before the trace
  std::optional<uint64_t> exit_ns;
};

enum class FileKind : uint8_t {
  kRegular,
  kDirectory,
  kBlock,
  kChar,
  kSocket,
  kPipe,
  kSymlink,
  kMemory,
  kOther
};
std::string_view name(FileKind);
std::optional<FileKind> parse_file_kind(std::string_view);

struct File {
  uint32_t id = 0;   // unique in the trace, never 0
  std::string path;  // raw bytes, not escaped; "socket:[123]", "pipe:[123]" for those without
  bool path_partial = false;
  bool unlinked = false;
  FileKind kind = FileKind::kOther;
  uint32_t dev = 0;  // kernel dev_t of the super block
  uint64_t inode = 0;
  uint32_t generation = 0;
  std::string filesystem;  // "ext4", "tmpfs", "sockfs", ...
  bool dax = false;
  std::string socket;           // of a socket: "tcp", "udp", "unix_stream", ...
  bool copies_nothing = false;  // /dev/null and the like; live only, not in JSON
};

struct Share {
  RequestId request;
  uint64_t bytes = 0;
};

// What a request moved, worked out once for all who add it up.
struct Moved {
  uint64_t returned = 0;  // Request::returned_bytes()
  uint64_t hit = 0;       // Request::cache_hit_bytes()
  uint64_t awaited = 0;   // Request::cache_awaited_bytes()
};

// How a request went through io_uring or libaio.
struct RingFacts {
  std::optional<RequestId> batch;  // the system call that submitted it; none: a polling thread did
  uint32_t run_by = 0;             // enum wire_runner, or-ed
  uint32_t flags = 0;              // IOSQE_*, as bits
  bool multishot = false;          // one completion of several of one submission
};
inline constexpr std::array<std::string_view, 4> kRunnerNames{"submitter", "worker", "poller", "later"};
inline constexpr std::array<std::string_view, 7> kRingFlagNames{
    "fixed_file", "drain", "link", "hardlink", "async", "buffer_select", "skip_success"};

struct Request {
  RequestId id;
  uint32_t tid = 0;
  std::string_view comm;
  std::string_view op;  // "pread64", "page_fault", ...
  Submit submit = Submit::kSyscall;
  int32_t fd = -1;
  uint32_t file = 0;  // 0: none
  std::optional<uint64_t> offset;
  std::optional<uint64_t> requested;
  int64_t result = 0;
  // Where sendfile and its kin put the bytes; `file`, `fd` and `offset` are where they came from.
  int32_t to_fd = -1;
  uint32_t to_file = 0;
  std::optional<uint64_t> to_offset;
  std::optional<RingFacts> ring;
  // Bytes that it moved where the result says something else (messages; more than the buffer takes).
  std::optional<uint64_t> moved;
  uint64_t start_ns = 0;
  uint64_t duration_ns = 0;
  Path path = Path::kNone;
  CacheOutcome cache = CacheOutcome::kNone;
  uint64_t miss_bytes = 0;
  uint64_t readahead_bytes = 0;
  uint64_t readahead_followed_bytes = 0;  // of them: whose use, if there is any, later requests tell (readahead_of)
  uint64_t dirtied_bytes = 0;
  uint32_t mode_switches = 0;
  uint32_t voluntary_switches = 0;
  uint32_t involuntary_switches = 0;
  uint64_t off_cpu_ns = 0;
  std::vector<Hop> hops;
  uint32_t cpu_copies = 0;
  uint64_t cpu_copy_bytes = 0;
  uint32_t dma_transfers = 0;
  uint64_t dma_bytes = 0;
  bool complete = true;  // nothing of it was lost
  // Empty: it returned; "aborted": the thread ended inside it; "open": still running when the trace
  // ended; "lost": its own record is missing, only its device work or waits are known.
  std::string_view ended = {};
  // Of one whose end was not seen nobody knows whether it slept since its last event.
  bool time_known() const { return ended.empty() || ended == "aborted"; }
  // Of what it took out of the page cache: loaded ahead for these earlier requests, and not used since.
  std::vector<Share> readahead_of;
  uint64_t buffer = 0;       // user address of its data, 0: unknown, or several; live only, not in JSON
  bool direct = false;       // the file is open with O_DIRECT, whatever path it took; live only
  // Of two requests with the same number, 0 excepted, everything is the same but: whose they are (id, thread, comm);
  // fd and file, which both have; offset, requested, result, buffer, ring.batch (each there in both, or in none); start and
  // duration; of their one hop, if they have any, bytes (the result), begin and end (their own); cpu_copy_bytes (those of
  // the hop, if it is a copy). Who keeps by it what it made of the rest may do so in a table: numbers in use at one
  // time differ modulo kAlike. Live only.
  static constexpr size_t kAlike = 256;
  uint64_t alike = 0;
  bool major_fault = false;  // page faults
  bool write_fault = false;

  // Bytes that reached or left the application or went from file to file for it: the result of reads,
  // writes and moves; 0 for the rest.
  uint64_t returned_bytes() const {
    if (moved) return *moved;
    return moves_data && result > 0 ? static_cast<uint64_t>(result) : 0;
  }
  bool moves_data = false;  // the result is a byte count
  // Of what it took out of the page cache (copied or mapped), the bytes that were there already.
  uint64_t cache_hit_bytes() const;
  // Those that were on their way but not there: loaded for an earlier request (its readahead,
  // mostly) and waited for by this one. Neither a hit nor a miss.
  uint64_t cache_awaited_bytes() const;
  // Both at once. Asked of each request: a hit with its one copy, as most are, is judged at once.
  Moved moved_bytes() const {
    if (cache != CacheOutcome::kHit || hops.size() != 1 || hops.front().kind != HopKind::kCpuCopy) return moved_by_hops();
    const bool found = hops.front().from == Endpoint::kPageCache && hops.front().bytes > miss_bytes;
    return {returned_bytes(), found ? hops.front().bytes - miss_bytes : 0, 0};
  }

 private:
  Moved moved_by_hops() const;
};

struct DmaEvidence {
  Evidence evidence = Evidence::kDerived;
  bool dma = false;  // false: this device has no DMA
  uint32_t segments = 0;
  uint64_t mapped_bytes = 0;
  uint64_t bounced_bytes = 0;
};

// A thread that queued bytes of a transfer outside of any request that is known: in a system call that is not traced
// (close, exit, umount), or where none is (--light).
struct Queuer {
  uint32_t pid = 0;
  uint32_t tid = 0;
  uint64_t bytes = 0;
};

// A transfer of a stacked device (dm, md, loop) whose bytes another one carries on.
struct Parent {
  uint64_t transfer = 0;
  uint64_t bytes = 0;
  Evidence evidence = Evidence::kObserved;  // that it is this one
};

// What the processor copied to carry a transfer on.
struct StageCopy {
  Endpoint from = Endpoint::kKernel;
  Endpoint to = Endpoint::kKernel;
  uint64_t bytes = 0;
  Evidence evidence = Evidence::kDerived;
};

struct Transfer {
  uint64_t id = 0;
  uint32_t device = 0;                  // kernel dev_t
  std::string_view op;                  // "read", "write", "flush", "discard", ...
  std::vector<std::string_view> flags;  // "sync", "readahead", "meta", "fua", "preflush", ...
  uint64_t sector = 0;
  uint64_t bytes = 0;
  uint32_t bios = 0, splits = 0, requeues = 0;
  std::optional<uint64_t> queue_ns, insert_ns, issue_ns;
  uint64_t complete_ns = 0;
  int32_t error = 0;  // negative errno
  Cause cause = Cause::kUnknown;
  std::vector<Share> owners;
  uint64_t unattributed_bytes = 0;
  std::vector<Queuer> queued_by;   // of bytes that no request owns, as far as a process queued them
  uint32_t file = 0;               // whose pages, 0: unknown
  std::optional<uint64_t> offset;  // of the first page in that file, bytes
  DmaEvidence dma;
  std::vector<Parent> parents;    // whose bytes it carries on
  std::vector<StageCopy> copies;  // made by the driver of `device`
  bool carried_on = false;  // a device or a file below took the bytes over: this is not the bottom
  bool carries_data() const;
};

// Device work that happened after the request returned, on its behalf.
struct Effect {
  Cause cause = Cause::kWriteback;
  std::vector<Share> requests;
  uint32_t file = 0;
  uint64_t offset = 0;
  uint64_t bytes = 0;
  uint64_t transfer = 0;
  uint64_t at_ns = 0;
  uint64_t delay_ns = 0;  // from the end of the oldest of the requests
  std::string_view reason;
  // Into the page cache of the file that a loop device lies in: they are written once more.
  bool to_cache = false;
};

// Bytes that one request brought into the application's memory and another one took from there. The counts are
// those of both requests, whatever else they moved.
struct Flow {
  RequestId from, to;
  uint64_t bytes = 0;
  Evidence evidence = Evidence::kInferred;
  uint32_t cpu_copies = 0;
  uint32_t dma = 0;
  uint32_t mode_switches = 0;
  std::string kind;    // "read-write", "read-send", "recv-write", "recv-send"
  std::string advice;  // the system call that would move them without the application; empty: none
  uint32_t from_file = 0, to_file = 0;
  uint64_t copied_bytes = 0;  // that the copies of both requests moved for it
};

struct Loss {
  uint64_t at_ns = 0;
  std::string_view cause;
  uint64_t count = 0;
};

struct Count {
  uint64_t count = 0;
  uint64_t bytes = 0;
};

}  // namespace iohops
