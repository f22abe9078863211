// SpoolFile: an unnamed temporary file that one thread writes at its end and another reads from its beginning, each
// word once. The room of what was read is given back.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "core/result.hpp"
#include "system/unique_fd.hpp"

namespace iohops {

class SpoolFile {
 public:
  explicit SpoolFile(std::string directory) : directory_(std::move(directory)) {}

  // Opens it now: later, the process may no longer have the right to. What goes wrong is told when it is written.
  void open();
  // How much may wait in it before something must be done about it: a fourth of the file system's room, at most
  // 256 MiB; 0 where open() failed.
  uint64_t patient_bytes() const { return patient_; }

  // At its end. kOutput: no file, or no room; nothing of `words` is in it then.
  Status write(std::span<const uint64_t> words);
  // From its beginning, no more than was written.
  Status read(std::span<uint64_t> words);
  // The writer: all was read, it begins anew.
  void begin_anew();

 private:
  void give_back();

  const std::string directory_;
  UniqueFd file_;
  uint64_t patient_ = 0;
  uint64_t written_ = 0;  // bytes
  uint64_t read_ = 0;     // bytes
  uint64_t freed_ = 0;    // bytes from its beginning on that it has no room for any more
};

}  // namespace iohops
