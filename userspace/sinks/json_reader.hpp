// Reads a JSON trace, of either form, back into the model. It trusts nothing in the file.
#pragma once

#include "core/bytes.hpp"
#include "core/result.hpp"
#include "core/sink.hpp"

namespace iohops {

// Drives `sink` with every record and ends with finish(truncated): a file without a summary, or
// with its last line cut off, is truncated, not damaged. Members and record types that this version
// does not know are ignored. Anything else that is wrong is ErrorKind::kDamaged with the line; what
// stood before it has reached the sink, finish() has not. An error of the sink is handed through.
Status read_json(ByteReader& input, Sink& sink);

}  // namespace iohops
