#include "system/spool_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
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

void SpoolFile::open() {
  Result<UniqueFd> file = unnamed_file(directory_);
  if (!file) return;
  file_ = std::move(*file);
  struct statvfs system {};
  if (fstatvfs(file_.get(), &system) == 0)
    patient_ = std::min<uint64_t>(kMostPatient, uint64_t{system.f_bavail} * system.f_frsize / 4);
}

Status SpoolFile::write(std::span<const uint64_t> words) {
  if (!file_) {
    Result<UniqueFd> file = unnamed_file(directory_);
    if (!file) return file.error();
    file_ = std::move(*file);
  }
  const auto* bytes = reinterpret_cast<const char*>(words.data());
  for (size_t done = 0, size = words.size_bytes(); done < size;) {
    const ssize_t n = pwrite(file_.get(), bytes + done, size - done, static_cast<off_t>(written_ + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      return Error{ErrorKind::kOutput,
                   fmt::format("cannot spool to a temporary file in {} after {} bytes: {} (set "
                               "TMPDIR to a folder with room)",
                               directory_, written_, std::strerror(errno))};
    }
    done += static_cast<size_t>(n);
  }
  written_ += words.size_bytes();
  return {};
}

Status SpoolFile::read(std::span<uint64_t> words) {
  auto* bytes = reinterpret_cast<char*>(words.data());
  for (size_t done = 0, size = words.size_bytes(); done < size;) {
    const ssize_t n = pread(file_.get(), bytes + done, size - done, static_cast<off_t>(read_ + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      return Error{ErrorKind::kRuntime, fmt::format("cannot read the spool in {} back: {}",
                                                    directory_, std::strerror(n ? errno : EIO))};
    }
    done += static_cast<size_t>(n);
  }
  read_ += words.size_bytes();
  give_back();
  return {};
}

// What was read back needs no room on the disk, and what was not written to it yet never will be. Where a file
// cannot have holes the room comes back when all was read and it is written again.
void SpoolFile::give_back() {
  constexpr uint64_t kStep = 1 << 20;
  const uint64_t until = read_ / kStep * kStep;
  if (until <= freed_) return;
  fallocate(file_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(freed_),
            static_cast<off_t>(until - freed_));
  freed_ = until;
}

void SpoolFile::begin_anew() {
  if (written_ == 0) return;
  if (ftruncate(file_.get(), 0) == 0) read_ = written_ = freed_ = 0;
}

}  // namespace iohops
