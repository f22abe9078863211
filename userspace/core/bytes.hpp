// ByteWriter, ByteReader: where bytes go to and come from, so that the core needs no file
// descriptor.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "core/result.hpp"

namespace iohops {

class ByteWriter {
 public:
  virtual ~ByteWriter() = default;
  virtual Status write(std::string_view bytes) = 0;
  virtual Status flush() { return {}; }  // everything written so far can be read by others
  virtual Status close() = 0;            // flush, and report what only a close can tell
};

class ByteReader {
 public:
  virtual ~ByteReader() = default;
  // Fills a part of `into`; 0: end of input.
  virtual Result<size_t> read(std::span<char> into) = 0;
  // True after the end of an input that its own container (zstd) shows to be cut short.
  virtual bool truncated() const { return false; }
};

}  // namespace iohops
