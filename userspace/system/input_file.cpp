#include "system/input_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include "system/unique_fd.hpp"

namespace iohops {
namespace {

constexpr std::string_view kZstdMagic = "\x28\xb5\x2f\xfd";

std::string shown(const std::string& path) { return path == "-" ? "stdin" : path; }

class FileReader : public ByteReader {
 public:
  FileReader(int fd, std::string name, UniqueFd owned)
      : fd_(fd), name_(std::move(name)), owned_(std::move(owned)) {}

  Result<size_t> read(std::span<char> into) override {
    while (true) {
      const ssize_t got = ::read(fd_, into.data(), into.size());
      if (got >= 0) return static_cast<size_t>(got);
      if (errno == EINTR) continue;
      return Error{ErrorKind::kRuntime, "cannot read " + name_ + ": " + std::strerror(errno)};
    }
  }

 private:
  int fd_;
  std::string name_;
  UniqueFd owned_;  // empty for stdin
};

// What was read to look at the magic comes first, then the rest.
class PeekedReader : public ByteReader {
 public:
  PeekedReader(std::unique_ptr<ByteReader> source, std::string head)
      : source_(std::move(source)), head_(std::move(head)) {}

  Result<size_t> read(std::span<char> into) override {
    if (given_ == head_.size()) return source_->read(into);
    const size_t size = std::min(into.size(), head_.size() - given_);
    std::memcpy(into.data(), head_.data() + given_, size);
    given_ += size;
    return size;
  }

 private:
  std::unique_ptr<ByteReader> source_;
  std::string head_;
  size_t given_ = 0;
};

struct FreeDecoder {
  void operator()(ZSTD_DStream* stream) const { ZSTD_freeDStream(stream); }
};

// Any number of zstd frames in a row. The end of input inside a frame is an end like any other, and
// is remembered.
class ZstdReader : public ByteReader {
 public:
  ZstdReader(std::unique_ptr<ByteReader> source, std::string name)
      : source_(std::move(source)), name_(std::move(name)), decoder_(ZSTD_createDStream()) {}

  Result<size_t> read(std::span<char> into) override {
    ZSTD_outBuffer out{into.data(), into.size(), 0};
    while (out.pos == 0) {
      if (in_.pos == in_.size && !output_pending_) {
        Result<size_t> got = source_->read(compressed_);
        if (!got) return got.error();
        if (*got == 0) {
          truncated_ = inside_frame_;
          return size_t{0};
        }
        in_ = {compressed_.data(), *got, 0};
        taken_ += *got;
      }
      const size_t hint = ZSTD_decompressStream(decoder_.get(), &out, &in_);
      if (ZSTD_isError(hint)) {
        return Error{ErrorKind::kDamaged, name_ + ": the compressed data is damaged before byte " +
                                              std::to_string(taken_ - in_.size + in_.pos) + ": " +
                                              ZSTD_getErrorName(hint)};
      }
      inside_frame_ = hint != 0;
      output_pending_ = inside_frame_ && out.pos == out.size;
    }
    return out.pos;
  }

  bool truncated() const override { return truncated_; }

 private:
  std::unique_ptr<ByteReader> source_;
  std::string name_;
  std::unique_ptr<ZSTD_DStream, FreeDecoder> decoder_;
  std::vector<char> compressed_ = std::vector<char>(ZSTD_DStreamInSize());
  ZSTD_inBuffer in_{nullptr, 0, 0};
  uint64_t taken_ = 0;
  bool inside_frame_ = false;
  bool output_pending_ = false;  // the decoder holds more than the caller had room for
  bool truncated_ = false;
};

Result<std::unique_ptr<ByteReader>> open_plain(const std::string& path) {
  if (path == "-") {
    return std::unique_ptr<ByteReader>(
        std::make_unique<FileReader>(STDIN_FILENO, shown(path), UniqueFd()));
  }
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (!fd) {
    return Error{ErrorKind::kRuntime, "cannot open " + path + ": " + std::strerror(errno)};
  }
  struct stat status {};
  if (::fstat(fd.get(), &status) == 0 && S_ISDIR(status.st_mode)) {
    return Error{ErrorKind::kRuntime, "cannot read " + path + ": it is a directory"};
  }
  const int number = fd.get();
  return std::unique_ptr<ByteReader>(
      std::make_unique<FileReader>(number, shown(path), std::move(fd)));
}

}  // namespace

Result<std::unique_ptr<ByteReader>> open_input(const std::string& path) {
  Result<std::unique_ptr<ByteReader>> plain = open_plain(path);
  if (!plain) return plain.error();
  std::string head;
  while (head.size() < kZstdMagic.size()) {
    char bytes[4];
    Result<size_t> got = (*plain)->read({bytes, kZstdMagic.size() - head.size()});
    if (!got) return got.error();
    if (*got == 0) break;
    head.append(bytes, *got);
  }
  const bool compressed = head == kZstdMagic;
  std::unique_ptr<ByteReader> reader =
      std::make_unique<PeekedReader>(std::move(*plain), std::move(head));
  if (compressed) reader = std::make_unique<ZstdReader>(std::move(reader), shown(path));
  return reader;
}

}  // namespace iohops
