// Names: the processes, threads and files of a trace. Sees name records; hands processes and files
// to the Sink, each file once.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "bpf/wire.h"
#include "core/model/model.hpp"
#include "core/flat_map.hpp"
#include "core/rebuild/limits.hpp"
#include "core/rebuild/recent_map.hpp"
#include "core/rebuild/storage.hpp"
#include "core/sink.hpp"

namespace iohops {

inline constexpr uint32_t kNone32 = UINT32_MAX;

// What the rules need to know of a file.
struct FileState {
  uint32_t id = 0;
  Storage storage = Storage::kNone;
  FileKind kind = FileKind::kOther;
  bool overlay = false;  // its pages belong to a file of another super block
  bool falls_back = false;  // O_DIRECT goes through the page cache after all: it was seen, or ext4 tells
  uint32_t dev = 0;
  uint64_t ino = 0;
  uint32_t magic = 0;  // of the super block; on an overlay, of the one below
  uint32_t rdev = 0;   // of a socket: WIRE_SOCKET; on an overlay: the dev below, 0: not known
  uint32_t cache = kNone32;  // its page cache in DirtyPages, kNone32: none, or not known yet
  uint32_t aliases = 0;      // that mean it; with the last, it is forgotten
  // How it stores its bytes, as one number: what a request comes to depends on no more of it (core/rebuild/repeats).
  uint64_t form = 0;
};

// The path of a file as every output tells it.
std::string path_of(const wire_file& record);

// Bounded: names that nobody has used for longest are forgotten. A file that is named again is another
// one then, with another number; a process goes on with numbers that no request has had.
class Names {
 public:
  Names(uint64_t start_ns, Sink& sink, const RebuildLimits& limits = {})
      : start_ns_(start_ns),
        sink_(sink),
        process_index_(limits.max_processes),
        threads_(limits.max_threads),
        aliases_(limits.max_files) {}

  Status process(const wire_process& record);
  Status process_exit(const wire_process_exit& record);
  void thread(const wire_thread& record);
  // The state of the file that the record's alias means from now on; `is_new`: not met before.
  Result<FileState*> file(const wire_file& record, bool& is_new);

  FileState* find_file(uint32_t alias) {
    const uint32_t* index = alias != 0 ? aliases_.find(alias) : nullptr;
    return index != nullptr ? &files_[*index] : nullptr;
  }
  // The page caches of the files that were forgotten since the last call; valid until the next file.
  const std::vector<uint32_t>& forgotten_caches() const { return forgotten_caches_; }
  // The thread's name, or else its process's; valid until the next name record.
  std::string_view comm(uint32_t tgid, uint32_t tid) {
    const ThreadState* thread = threads_.find(tid);
    if (thread != nullptr) return {thread->comm, thread->comm_size};
    return process_state(tgid).process.comm;
  }
  RequestId next_id(uint32_t tgid) {
    const uint32_t* known = process_index_.find(tgid);
    ProcessState& state = known != nullptr ? processes_[*known] : process_state(tgid);
    return {tgid, state.next_seq++};
  }

 private:
  struct ProcessState {
    uint64_t next_seq = 1;
    bool seen = false;
    uint64_t start_boot_ns = 0;
    Process process;
  };
  struct ThreadState {
    char comm[WIRE_COMM_BYTES] = {};
    size_t comm_size = 0;
  };
  // An anonymous inode is shared by all of its kind: only the name tells them apart. A file of an overlay is another
  // one once it has been copied up to another file system.
  struct Identity {
    uint64_t dev_generation = 0;
    uint64_t ino = 0;
    uint64_t name = 0;
    bool operator==(const Identity&) const = default;
    friend uint64_t hash_of(const Identity& id) {
      return mix(mix(id.dev_generation) + mix(id.ino) + id.name);
    }
  };

  ProcessState& process_state(uint32_t tgid);
  void name_thread(uint32_t tid, const char (&comm)[WIRE_COMM_BYTES]);
  void point(uint32_t alias, uint32_t index);
  void release_alias(uint32_t index);
  uint64_t since_start(uint64_t ns) const { return ns > start_ns_ ? ns - start_ns_ : 0; }

  uint64_t start_ns_;
  Sink& sink_;
  RecentMap<uint64_t, uint32_t> process_index_;
  std::vector<ProcessState> processes_;
  uint64_t first_seq_ = 1;  // of a process that is new: beyond those of all that were forgotten
  RecentMap<uint64_t, ThreadState> threads_;
  RecentMap<uint64_t, uint32_t> aliases_;
  FlatMap<Identity, uint32_t> identities_;
  std::vector<FileState> files_;
  std::vector<Identity> identity_of_;  // by index in files_
  std::vector<uint32_t> free_files_;
  std::vector<uint32_t> forgotten_caches_;
  uint32_t last_file_id_ = 0;
};

}  // namespace iohops
