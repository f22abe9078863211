#include "system/zstd_writer.hpp"

#include <zstd.h>

#include <utility>
#include <vector>

namespace iohops {
namespace {

constexpr int kLevel = 1;  // 6:1 on a trace already; higher levels cost more than the tracing

struct FreeEncoder {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};

class ZstdWriter : public ByteWriter {
 public:
  ZstdWriter(std::unique_ptr<ByteWriter> out, std::string name)
      : out_(std::move(out)), name_(std::move(name)), encoder_(ZSTD_createCCtx()) {
    ZSTD_CCtx_setParameter(encoder_.get(), ZSTD_c_compressionLevel, kLevel);
    ZSTD_CCtx_setParameter(encoder_.get(), ZSTD_c_checksumFlag, 1);
    // Refused by a library without threads: then it compresses in the caller's.
    ZSTD_CCtx_setParameter(encoder_.get(), ZSTD_c_nbWorkers, 1);
  }

  Status write(std::string_view bytes) override { return compress(bytes, ZSTD_e_continue); }

  Status flush() override {
    if (Status status = compress({}, ZSTD_e_flush); !status) return status;
    return out_->flush();
  }

  Status close() override {
    if (closed_) return {};
    closed_ = true;
    Status ended = compress({}, ZSTD_e_end);
    Status closed = out_->close();
    return ended ? closed : ended;
  }

 private:
  Status compress(std::string_view bytes, ZSTD_EndDirective directive) {
    ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
    while (true) {
      ZSTD_outBuffer out{compressed_.data(), compressed_.size(), 0};
      const size_t left = ZSTD_compressStream2(encoder_.get(), &out, &in, directive);
      if (ZSTD_isError(left)) {
        return Error{ErrorKind::kOutput,
                     "cannot compress " + name_ + ": " + ZSTD_getErrorName(left)};
      }
      if (out.pos > 0) {
        if (Status status = out_->write({compressed_.data(), out.pos}); !status) return status;
      }
      // Until all is taken in, or, at a flush or the end, all has come out.
      if (directive == ZSTD_e_continue ? in.pos == in.size : left == 0) return {};
    }
  }

  std::unique_ptr<ByteWriter> out_;
  std::string name_;
  std::unique_ptr<ZSTD_CCtx, FreeEncoder> encoder_;
  std::vector<char> compressed_ = std::vector<char>(ZSTD_CStreamOutSize());
  bool closed_ = false;
};

}  // namespace

std::unique_ptr<ByteWriter> compress_with_zstd(std::unique_ptr<ByteWriter> out, std::string name) {
  return std::make_unique<ZstdWriter>(std::move(out), std::move(name));
}

}  // namespace iohops
