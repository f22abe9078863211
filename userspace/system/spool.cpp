#include "system/spool.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace iohops {
namespace {

// 11 million cached requests: some seconds of work when it is done at last.
constexpr uint64_t kMostPatient = uint64_t{256} << 20;

// O_TMPFILE where the file system has it, an unlinked file elsewhere: nothing is left behind by a
// kill.
Result<UniqueFd> unnamed_file(const std::string& directory) {
  UniqueFd file(open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (file) return file;
  std::string name = directory + "/.iohops-spool-XXXXXX";
  file = UniqueFd(mkostemp(name.data(), O_CLOEXEC));
  if (!file) {
    return Error{
        ErrorKind::kOutput,
        fmt::format("cannot create a temporary file in {}: {} (set TMPDIR to a folder with "
                    "room)",
                    directory, std::strerror(errno))};
  }
  unlink(name.c_str());
  return file;
}

}  // namespace

Spool::Spool(size_t memory_bytes, std::string directory)
    : memory_chunks_(std::max<size_t>(1, memory_bytes / (kChunkWords * 8))),
      directory_(std::move(directory)) {
  filling_.reserve(kChunkWords);
}

void Spool::open_file() {
  Result<UniqueFd> file = unnamed_file(directory_);
  if (!file) return;
  file_ = std::move(*file);
  struct statvfs system {};
  if (fstatvfs(file_.get(), &system) == 0)
    file_patient_ = std::min<uint64_t>(kMostPatient, uint64_t{system.f_bavail} * system.f_frsize / 4);
}

Status Spool::append(Record records) {
  const size_t words = records.size() / 8;
  if (filling_.size() + words > kChunkWords) {
    if (Status handed = hand_over(); !handed) return handed;
  }
  const auto* first = reinterpret_cast<const uint64_t*>(records.data());
  filling_.insert(filling_.end(), first, first + words);
  return {};
}

Status Spool::hand_over() {
  if (filling_.empty() && full_.empty()) return {};
  if (!filling_.empty()) {
    appended_.fetch_add(filling_.size() * 8, std::memory_order_relaxed);
    full_.push_back(std::exchange(filling_, {}));
  }
  std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock && full_.size() >= memory_chunks_) lock.lock();
  if (lock) {
    if (Status passed = pass_all_on(); !passed) return passed;
    filling_ = spare();
    filling_.clear();
    changed_.notify_one();
  }
  filling_.reserve(kChunkWords);
  return {};
}

// With the lock, as all that follows but give_back().
Spool::Chunk Spool::spare() {
  if (spare_.empty()) return {};
  Chunk chunk = std::move(spare_.back());
  spare_.pop_back();
  return chunk;
}

void Spool::keep(Chunk chunk) {
  if (chunk.capacity() >= kChunkWords && spare_.size() < memory_chunks_) spare_.push_back(std::move(chunk));
}

Status Spool::pass_all_on() {
  for (; !full_.empty(); full_.pop_front())
    if (Status passed = pass_on(std::move(full_.front())); !passed) return passed;
  return {};
}

Status Spool::pass_on(Chunk chunk) {
  if (abandoned_) return {};
  if (!in_file_.empty() || memory_.size() >= memory_chunks_) {
    Status written = to_file(chunk);
    keep(std::move(chunk));
    return written;
  }
  memory_.push_back(std::move(chunk));
  return {};
}

Status Spool::close() {
  Status handed = hand_over();
  std::lock_guard lock(mutex_);
  if (handed) handed = pass_all_on();
  closed_ = true;
  changed_.notify_one();
  return handed;
}

void Spool::abandon() {
  std::lock_guard lock(mutex_);
  abandoned_ = true;
  memory_.clear();
  in_file_.clear();
}

Status Spool::to_file(const Chunk& chunk) {
  if (!file_) {
    Result<UniqueFd> file = unnamed_file(directory_);
    if (!file) return file.error();
    file_ = std::move(*file);
  }
  const auto* bytes = reinterpret_cast<const char*>(chunk.data());
  for (size_t done = 0, size = chunk.size() * 8; done < size;) {
    const ssize_t n =
        pwrite(file_.get(), bytes + done, size - done, static_cast<off_t>(file_written_ + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      return Error{ErrorKind::kOutput,
                   fmt::format("cannot spool to a temporary file in {} after {} bytes: {} (set "
                               "TMPDIR to a folder with room)",
                               directory_, file_written_, std::strerror(errno))};
    }
    done += static_cast<size_t>(n);
  }
  file_written_ += chunk.size() * 8;
  in_file_.push_back(static_cast<uint32_t>(chunk.size()));
  return {};
}

// The lock is open while it reads: what is appended meanwhile goes behind it.
Result<Spool::Chunk> Spool::from_file(std::unique_lock<std::mutex>& lock) {
  Chunk chunk = spare();
  chunk.resize(in_file_.front());
  lock.unlock();
  auto* bytes = reinterpret_cast<char*>(chunk.data());
  for (size_t done = 0, size = chunk.size() * 8; done < size;) {
    const ssize_t n =
        pread(file_.get(), bytes + done, size - done, static_cast<off_t>(file_read_ + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      return Error{ErrorKind::kRuntime, fmt::format("cannot read the spool in {} back: {}",
                                                    directory_, std::strerror(n ? errno : EIO))};
    }
    done += static_cast<size_t>(n);
  }
  file_read_ += chunk.size() * 8;
  give_back();
  lock.lock();
  if (!in_file_.empty()) in_file_.pop_front();  // unless it was abandoned meanwhile
  if (in_file_.empty() && ftruncate(file_.get(), 0) == 0)
    file_read_ = file_written_ = file_freed_ = 0;
  return chunk;
}

// What was read back needs no room on the disk, and what was not written to it yet never will be. Where a file
// cannot have holes the room comes back when all is read.
void Spool::give_back() {
  constexpr uint64_t kStep = 1 << 20;
  const uint64_t until = file_read_ / kStep * kStep;
  if (until <= file_freed_) return;
  fallocate(file_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(file_freed_),
            static_cast<off_t>(until - file_freed_));
  file_freed_ = until;
}

Result<std::optional<Spool::Chunk>> Spool::take(Chunk reuse, std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  keep(std::move(reuse));
  changed_.wait_for(lock, patience,
                    [&] { return closed_ || !memory_.empty() || !in_file_.empty(); });
  Chunk chunk;
  if (!memory_.empty()) {
    chunk = std::move(memory_.front());
    memory_.pop_front();
  } else if (!in_file_.empty()) {
    Result<Chunk> read = from_file(lock);
    if (!read) return read.error();
    chunk = std::move(*read);
  } else if (closed_) {
    return std::optional<Chunk>();
  }
  taken_.fetch_add(chunk.size() * 8, std::memory_order_release);
  return std::optional<Chunk>(std::move(chunk));
}

}  // namespace iohops
