// The recordings of tests/streams, record by record. Sees files; run from the root of the
// repository.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/decode.hpp"
#include "core/rebuild/rebuilder.hpp"

namespace iohops::test {

using Words = std::vector<uint64_t>;  // a record

struct Recorded {
  uint64_t start_ns = 0;
  std::vector<Words> records;

  RebuildContext context() const;
};

inline constexpr std::array<const char*, 9> kStreams{"cold_sequential",
                                                     "direct_read",
                                                     "fork",
                                                     "fsync",
                                                     "interrupted_read",
                                                     "mmap_cold",
                                                     "overwrite_then_sync",
                                                     "pipe_and_socket",
                                                     "read_modify_write"};

// Fails the test if it cannot be read to its end.
Recorded load_stream(std::string_view name);

inline Record as_record(const Words& words) { return std::as_bytes(std::span(words)); }

}  // namespace iohops::test
