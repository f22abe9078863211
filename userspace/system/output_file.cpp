#include "system/output_file.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

#include "system/unique_fd.hpp"
#include "system/zstd_writer.hpp"

namespace iohops {
namespace {

Error output_error(std::string message) { return {ErrorKind::kOutput, std::move(message)}; }

// 1048576 as 1,048,576.
std::string grouped(uint64_t number) {
  std::string text = std::to_string(number);
  for (size_t at = text.size(); at > 3;) {
    at -= 3;
    text.insert(at, ",");
  }
  return text;
}

class FileWriter : public ByteWriter {
 public:
  FileWriter(UniqueFd fd, std::string name, bool is_stdout)
      : fd_(std::move(fd)), name_(std::move(name)), is_stdout_(is_stdout) {}

  Status write(std::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t done = ::write(fd_.get(), bytes.data(), bytes.size());
      if (done >= 0) {
        written_ += static_cast<uint64_t>(done);
        bytes.remove_prefix(static_cast<size_t>(done));
        continue;
      }
      if (errno == EINTR) continue;
      if (errno == EAGAIN) {  // a pipe or terminal that somebody else made non-blocking
        pollfd ready{fd_.get(), POLLOUT, 0};
        ::poll(&ready, 1, -1);
        continue;
      }
      return failed(errno);
    }
    return {};
  }

  Status close() override {
    // Linux gives the descriptor back whatever close() says; it is not called twice.
    if (fd_ && ::close(fd_.release()) != 0) return failed(errno);
    return {};
  }

 private:
  Error failed(int error) const {
    if (error == EPIPE && is_stdout_) return output_error("");
    std::string message = name_ + ": " + std::strerror(error) + " after " + grouped(written_) +
                          (written_ == 1 ? " byte" : " bytes");
    if (error == ENOSPC || error == EDQUOT) {
      message += "; give -o a file on a larger file system, or one that ends in .zst";
    } else if (error == EFBIG) {
      message += "; the limit is set by ulimit -f, or by the file system";
    } else if (error == EPIPE) {
      message += "; its reader has gone";
    }
    return output_error(std::move(message));
  }

  UniqueFd fd_;
  std::string name_;
  bool is_stdout_;
  uint64_t written_ = 0;
};

struct User {
  uid_t uid;
  gid_t gid;
};

template <typename Id>
std::optional<Id> id_from_environment(const char* variable) {
  const char* text = std::getenv(variable);
  if (text == nullptr) return std::nullopt;
  const char* end = text + std::strlen(text);
  Id id = 0;
  const auto [stop, problem] = std::from_chars(text, end, id);
  if (problem != std::errc() || stop != end) return std::nullopt;
  return id;
}

// Who ran sudo. The variables mean nothing in a process that is not root.
std::optional<User> user_behind_sudo() {
  if (::geteuid() != 0) return std::nullopt;
  const auto uid = id_from_environment<uid_t>("SUDO_UID");
  const auto gid = id_from_environment<gid_t>("SUDO_GID");
  if (!uid || !gid) return std::nullopt;
  return User{*uid, *gid};
}

bool belongs_to_caller(const struct stat& file) {
  const auto user = user_behind_sudo();
  return file.st_uid == ::geteuid() || (user && file.st_uid == user->uid);
}

Error cannot_create(const std::string& path, int error) {
  std::string message = "cannot create " + path + ": " + std::strerror(error);
  if (error == ENOENT || error == EACCES || error == EPERM || error == EROFS) {
    message += "; name a file in a directory that exists and that you may write to, or -o -";
  }
  return output_error(std::move(message));
}

Result<UniqueFd> create(const std::string& path) {
  const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  UniqueFd fd(::open(path.c_str(), flags, S_IRUSR | S_IWUSR));
  if (!fd) return cannot_create(path, errno);
  if (const auto user = user_behind_sudo()) {
    // A file system without owners refuses: the file stays root's, which loses nothing.
    [[maybe_unused]] const int refused = ::fchown(fd.get(), user->uid, user->gid);
  }
  return fd;
}

// A device, or a FIFO: of the caller's own, as whoever laid it out reads what goes into it.
bool may_go_into(const struct stat& file) {
  return S_ISCHR(file.st_mode) || (S_ISFIFO(file.st_mode) && belongs_to_caller(file));
}

// A FIFO or a device: written to as it is. It is looked at again once it is open, because the name
// may have changed its meaning since it was looked at first.
Result<UniqueFd> open_existing(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC));
  if (!fd) return output_error("cannot write to " + path + ": " + std::strerror(errno));
  struct stat opened {};
  if (::fstat(fd.get(), &opened) != 0 || !may_go_into(opened)) {
    return output_error("cannot write to " + path + ": it was replaced while it was opened");
  }
  return fd;
}

Result<UniqueFd> open_private(const std::string& path) {
  struct stat there {};
  if (::lstat(path.c_str(), &there) != 0) {
    return errno == ENOENT ? create(path) : Result<UniqueFd>(cannot_create(path, errno));
  }
  if (may_go_into(there)) return open_existing(path);
  const auto refuse = [&](const std::string& why) {
    return output_error("refusing to write to " + path + ": " + why);
  };
  if (S_ISLNK(there.st_mode)) {
    return refuse("it is a symbolic link; name the file itself, or use -o - for stdout");
  }
  if (S_ISDIR(there.st_mode)) return refuse("it is a directory; name a file in it");
  if (S_ISFIFO(there.st_mode)) {
    return refuse("it is a FIFO of user " + std::to_string(there.st_uid) + ", who could read along; name another");
  }
  if (!S_ISREG(there.st_mode)) return refuse("it is neither a file, a FIFO nor a terminal");
  if (!belongs_to_caller(there)) {
    return refuse("it exists and belongs to user " + std::to_string(there.st_uid) +
                  "; name another file");
  }
  const std::string old = path + ".old";
  struct stat before {};
  if (::lstat(old.c_str(), &before) == 0 && !(S_ISREG(before.st_mode) && belongs_to_caller(before)))
    return refuse("it exists, and " + old + ", as which it would be kept, is no file of yours; name another file");
  if (::rename(path.c_str(), old.c_str()) != 0) {
    return refuse("it exists, and could not be kept as " + old + ": " + std::strerror(errno));
  }
  return create(path);
}

}  // namespace

Result<std::unique_ptr<ByteWriter>> open_output(const std::string& path) {
  if (path == "-") {
    // A copy, so that closing it reports what only a close can tell and leaves stdout open.
    UniqueFd fd(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3));
    if (!fd) return output_error(std::string("cannot write to stdout: ") + std::strerror(errno));
    return std::unique_ptr<ByteWriter>(std::make_unique<FileWriter>(std::move(fd), "stdout", true));
  }
  if (path.empty()) return output_error("the name of the output is empty");
  Result<UniqueFd> fd = open_private(path);
  if (!fd) return fd.error();
  std::unique_ptr<ByteWriter> writer = std::make_unique<FileWriter>(std::move(*fd), path, false);
  if (is_compressed(path)) return compress_with_zstd(std::move(writer), path);
  return writer;
}

}  // namespace iohops
