// Name records into processes, threads and files.
#include "core/rebuild/names.hpp"

#include <algorithm>
#include <cstring>
#include <functional>
#include <string>
#include <utility>

namespace iohops {
namespace {

std::string_view text_of(const char* bytes, size_t room) { return {bytes, strnlen(bytes, room)}; }

// "c\0b\0a\0" is /a/b/c.
std::string joined_path(std::string_view components, bool partial) {
  std::string path;
  while (!components.empty()) {
    components.remove_suffix(1);  // its NUL
    const size_t before = components.rfind('\0');
    const size_t begin = before == std::string_view::npos ? 0 : before + 1;
    if (!path.empty() || !partial) path += '/';
    path += components.substr(begin);
    components = components.substr(0, begin);
  }
  return path;
}

std::string name_of(const wire_file& record, FileKind kind) {
  const std::string_view components(record.path, record.path_bytes);
  const std::string number = "[" + std::to_string(record.ino) + "]";
  if (kind == FileKind::kSocket) return "socket:" + number;
  const std::string_view fs = text_of(record.fs, sizeof record.fs);
  if (kind == FileKind::kPipe && fs == "pipefs") return "pipe:" + number;
  if (is_anon_inode(record.magic)) {
    return "anon_inode:" + (components.empty() ? number : std::string(components.data()));
  }
  const bool partial = (record.flags & WIRE_FILE_PARTIAL_PATH) != 0;
  if (components.empty()) {
    return partial || kind != FileKind::kDirectory ? std::string(fs) + ":" + number : "/";
  }
  return joined_path(components, partial);
}

}  // namespace

std::string path_of(const wire_file& record) {
  return name_of(record, file_kind(record.mode, record.magic));
}

Names::ProcessState& Names::process_state(uint32_t tgid) {
  const uint32_t* known = process_index_.find(tgid);
  uint32_t index = known != nullptr ? *known : kNone32;
  if (index == kNone32) {
    index = static_cast<uint32_t>(processes_.size());
    process_index_.add(tgid, index, [&](uint64_t, uint32_t gone) {
      first_seq_ = std::max(first_seq_, processes_[gone].next_seq);
      index = gone;
    });
    if (index == processes_.size()) processes_.emplace_back();
    *process_index_.find(tgid) = index;
    processes_[index] = {};
    processes_[index].next_seq = first_seq_;
    processes_[index].process.pid = tgid;
  }
  return processes_[index];
}

void Names::name_thread(uint32_t tid, const char (&comm)[WIRE_COMM_BYTES]) {
  ThreadState* thread = threads_.find(tid);
  if (thread == nullptr) thread = &threads_.add(tid, {}, [](uint64_t, const ThreadState&) {});
  thread->comm_size = text_of(comm, sizeof comm).copy(thread->comm, sizeof thread->comm);
}

// One name of the file less.
void Names::release_alias(uint32_t index) {
  FileState& state = files_[index];
  if (--state.aliases > 0) return;
  if (state.cache != kNone32) forgotten_caches_.push_back(state.cache);
  identities_.erase(identity_of_[index]);
  free_files_.push_back(index);
}

// From now on `alias` means this file.
void Names::point(uint32_t alias, uint32_t index) {
  files_[index].aliases++;
  if (uint32_t* known = aliases_.find(alias)) {
    release_alias(std::exchange(*known, index));
    return;
  }
  aliases_.add(alias, index, [this](uint64_t, uint32_t gone) { release_alias(gone); });
}

Status Names::process(const wire_process& record) {
  ProcessState& state = process_state(record.tgid);
  Process& process = state.process;
  const bool another = !state.seen || record.event == WIRE_PROCESS_FORK ||
                       record.start_boot_ns != state.start_boot_ns;
  if (another) {
    process.start_ns = record.event == WIRE_PROCESS_FORK ? since_start(record.header.time_ns) : 0;
    process.exit_ns.reset();
  }
  state.seen = true;
  state.start_boot_ns = record.start_boot_ns;
  process.ns_pid = record.ns_tgid;
  process.parent = record.parent;
  process.comm = text_of(record.comm, sizeof record.comm);
  name_thread(record.tgid, record.comm);
  return sink_.process(process);
}

Status Names::process_exit(const wire_process_exit& record) {
  ProcessState& state = process_state(record.tgid);
  if (!state.seen) return {};  // its name was lost: there is nothing to say who left
  state.process.exit_ns = since_start(record.header.time_ns);
  return sink_.process(state.process);
}

void Names::thread(const wire_thread& record) {
  name_thread(record.tid, record.comm);
}

Result<FileState*> Names::file(const wire_file& record, bool& is_new) {
  // On an overlay the file system below it decides.
  const uint32_t magic = record.below != 0 ? record.below : record.magic;
  const FileKind kind = file_kind(record.mode, magic);
  const std::string path = name_of(record, kind);
  Identity identity{uint64_t{record.dev} << 32 | record.generation, record.ino, 0};
  if (is_anon_inode(record.magic)) identity.name = std::hash<std::string>{}(path) | 1;
  if (record.below != 0) identity.name = record.below;

  forgotten_caches_.clear();
  const uint32_t* known = identities_.find(identity);
  is_new = known == nullptr;
  uint32_t index = is_new ? static_cast<uint32_t>(files_.size()) : *known;
  if (is_new && !free_files_.empty()) {
    index = free_files_.back();
    free_files_.pop_back();
  }
  if (is_new) {
    if (index == files_.size()) {
      files_.emplace_back();
      identity_of_.emplace_back();
    }
    files_[index] = {};
    identity_of_[index] = identity;
    identities_[identity] = index;
  }
  point(record.file, index);
  FileState& state = files_[index];
  if (!is_new) return &state;

  const bool dax = (record.flags & WIRE_FILE_DAX) != 0;
  state.id = ++last_file_id_;
  state.storage = storage_of(record.mode, magic, dax, record.rdev);
  state.kind = kind;
  state.overlay = is_overlay(record.magic);
  state.dev = record.dev;
  state.ino = record.ino;
  state.magic = magic;
  state.rdev = record.rdev;
  state.form = uint64_t{kind == FileKind::kSocket ? record.rdev : 0} << 32 |
               static_cast<uint32_t>(state.storage) << 8 | static_cast<uint32_t>(kind);
  state.falls_back = (record.flags & WIRE_FILE_JOURNALLED) != 0;

  File file;
  file.id = state.id;
  file.path = path;
  file.path_partial = (record.flags & WIRE_FILE_PARTIAL_PATH) != 0;
  file.unlinked = (record.flags & WIRE_FILE_UNLINKED) != 0;
  file.kind = kind;
  file.dev = record.dev;
  file.inode = record.ino;
  file.generation = record.generation;
  file.filesystem = text_of(record.fs, sizeof record.fs);
  file.dax = dax;
  if (kind == FileKind::kSocket) file.socket = socket_name(record.rdev);
  file.copies_nothing = state.storage == Storage::kNone;
  if (Status status = sink_.file(file); !status) return status.error();
  return &state;
}

}  // namespace iohops
