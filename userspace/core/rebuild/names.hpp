// Names: the processes, threads and files of a trace. Sees name records; hands processes and files
// to the Sink, each file once.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "bpf/wire.h"
#include "core/model/model.hpp"
#include "core/rebuild/flat_map.hpp"
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
  uint32_t dev = 0;
  uint64_t ino = 0;
  uint32_t magic = 0;  // of the super block
  uint32_t rdev = 0;   // of a socket: WIRE_SOCKET
  uint32_t cache = kNone32;  // its page cache in DirtyPages, kNone32: none, or not known yet
};

// The path of a file as every output tells it.
std::string path_of(const wire_file& record);

class Names {
 public:
  Names(uint64_t start_ns, Sink& sink) : start_ns_(start_ns), sink_(sink) {}

  Status process(const wire_process& record);
  Status process_exit(const wire_process_exit& record);
  void thread(const wire_thread& record);
  // The state of the file that the record's alias means from now on; `is_new`: not met before.
  Result<FileState*> file(const wire_file& record, bool& is_new);

  FileState* find_file(uint32_t alias) {
    const uint32_t* index = alias != 0 ? aliases_.find(alias) : nullptr;
    return index != nullptr ? &files_[*index] : nullptr;
  }
  // The thread's name, or else its process's; valid until the next name record.
  std::string_view comm(uint32_t tgid, uint32_t tid);
  RequestId next_id(uint32_t tgid);

 private:
  struct ProcessState {
    uint64_t next_seq = 1;
    bool seen = false;
    uint64_t start_boot_ns = 0;
    Process process;
  };
  struct ThreadState {
    char comm[WIRE_COMM_BYTES] = {};
  };
  // An anonymous inode is shared by all of its kind: only the name tells them apart.
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
  uint64_t since_start(uint64_t ns) const { return ns > start_ns_ ? ns - start_ns_ : 0; }

  uint64_t start_ns_;
  Sink& sink_;
  FlatMap<uint64_t, uint32_t> process_index_;
  std::vector<ProcessState> processes_;  // never shrinks: a number goes on where it was
  uint32_t last_tgid_ = 0;
  uint32_t last_process_ = kNone32;
  FlatMap<uint64_t, ThreadState> threads_;
  FlatMap<uint64_t, uint32_t> aliases_;
  FlatMap<Identity, uint32_t> identities_;
  std::vector<FileState> files_;
};

}  // namespace iohops
