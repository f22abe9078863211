// Where a trace is written to: a new private file, a pipe or device, or stdout; compressed when the
// name says so. It never follows a symlink and never overwrites: what stood there becomes FILE.old.
#pragma once

#include <memory>
#include <string>

#include "core/bytes.hpp"
#include "core/form.hpp"
#include "core/result.hpp"

namespace iohops {

// "-" is stdout. A new file is 0600, and belongs to the user who ran sudo. An existing regular file
// is renamed to FILE.old if the caller owns it (and what FILE.old was, if anything); a character device or a
// FIFO of the caller is written to as it is; anything else is refused. A name that ends in ".zst" is compressed: flush() makes everything
// written so far decompressible.
//
// All errors are ErrorKind::kOutput. When the reader of stdout has gone (EPIPE) the message is
// empty: the driver ends quietly. The process must ignore SIGPIPE.
Result<std::unique_ptr<ByteWriter>> open_output(const std::string& path);

}  // namespace iohops
