// Where a trace is read from: a file or stdin, decompressed when it is zstd (by content, not name).
#pragma once

#include <memory>
#include <string>

#include "core/bytes.hpp"
#include "core/result.hpp"

namespace iohops {

// "-" is stdin. ErrorKind::kRuntime: it cannot be opened or read; kDamaged: its compression is
// broken in the middle. Compressed data that just stops is the end of input: truncated() tells.
Result<std::unique_ptr<ByteReader>> open_input(const std::string& path);

}  // namespace iohops
