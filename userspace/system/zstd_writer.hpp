// Compresses what is written, with zstd, into another ByteWriter.
#pragma once

#include <memory>
#include <string>

#include "core/bytes.hpp"

namespace iohops {

// One frame for the whole stream, compressed in a thread of its own. flush() ends a block: what was
// written so far can be decompressed, although the frame is open. `name` is for messages.
std::unique_ptr<ByteWriter> compress_with_zstd(std::unique_ptr<ByteWriter> out, std::string name);

}  // namespace iohops
