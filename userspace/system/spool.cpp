#include "system/spool.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace iohops {
namespace {

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
  if (Result<UniqueFd> file = unnamed_file(directory_)) file_ = std::move(*file);
}

Status Spool::append(Record record) {
  const size_t words = record.size() / 8;
  if (filling_.size() + words > kChunkWords) {
    if (Status handed = hand_over(); !handed) return handed;
  }
  const auto* first = reinterpret_cast<const uint64_t*>(record.data());
  filling_.insert(filling_.end(), first, first + words);
  return {};
}

Status Spool::hand_over() {
  if (filling_.empty()) return {};
  std::lock_guard lock(mutex_);
  if (abandoned_) {
    filling_.clear();
    return {};
  }
  appended_ += filling_.size() * 8;
  if (!in_file_.empty() || memory_.size() >= memory_chunks_) {
    if (Status written = to_file(filling_); !written) return written;
    filling_.clear();
  } else {
    memory_.push_back(std::move(filling_));
    filling_ = {};
    if (!spare_.empty()) {
      filling_ = std::move(spare_.back());
      spare_.pop_back();
    }
    filling_.clear();
    filling_.reserve(kChunkWords);
  }
  changed_.notify_one();
  return {};
}

Status Spool::close() {
  Status handed = hand_over();
  std::lock_guard lock(mutex_);
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

Result<Spool::Chunk> Spool::from_file() {
  Chunk chunk(in_file_.front());
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
  in_file_.pop_front();
  if (in_file_.empty()) {  // caught up: give the room back
    if (ftruncate(file_.get(), 0) == 0) file_read_ = file_written_ = 0;
  }
  return chunk;
}

Result<std::optional<Spool::Chunk>> Spool::take(Chunk reuse, std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  if (reuse.capacity() >= kChunkWords && spare_.size() < memory_chunks_)
    spare_.push_back(std::move(reuse));
  changed_.wait_for(lock, patience,
                    [&] { return closed_ || !memory_.empty() || !in_file_.empty(); });
  Chunk chunk;
  if (!memory_.empty()) {
    chunk = std::move(memory_.front());
    memory_.pop_front();
  } else if (!in_file_.empty()) {
    Result<Chunk> read = from_file();
    if (!read) return read.error();
    chunk = std::move(*read);
  } else if (closed_) {
    return std::optional<Chunk>();
  }
  taken_ += chunk.size() * 8;
  return std::optional<Chunk>(std::move(chunk));
}

uint64_t Spool::appended_bytes() const {
  std::lock_guard lock(mutex_);
  return appended_;
}

uint64_t Spool::backlog_bytes() const {
  std::lock_guard lock(mutex_);
  return appended_ - taken_;
}

}  // namespace iohops
