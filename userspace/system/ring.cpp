#include "system/ring.hpp"

#include <bpf/bpf.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "system/privileges.hpp"

namespace iohops {

// With its head, up to a page's end: wire_header.size has 16 bits.
constexpr uint64_t kLongestRecord = uint64_t{128} << 10;

namespace {

Error cannot_create(uint64_t bytes, int error) {
  const std::string what =
      fmt::format("cannot create a ring buffer of {} bytes: {}", bytes, std::strerror(error));
  const std::optional<MemoryLimit> limit = error == EPERM ? memory_limit() : std::nullopt;
  if (limit)
    return {ErrorKind::kPermission, what + ": " + limit->reason + ". Run first:\n  " + limit->fix};
  return {ErrorKind::kKernel, what + " (a smaller one: --ring 1M)"};
}

}  // namespace

Result<RingReader> RingReader::create(uint64_t bytes) {
  RingReader ring;
  ring.map_ = UniqueFd(bpf_map_create(BPF_MAP_TYPE_RINGBUF, "iohops_ring", 0, 0,
                                      static_cast<uint32_t>(bytes), nullptr));
  if (!ring.map_) return cannot_create(bytes, errno);
  // The first page holds the consumer's position and is writable; the second holds the producer's,
  // and the data follow, twice, so that a record that wraps around is contiguous. Of the second
  // time only what a record can reach is mapped: the kernel maps it all at once, and counts it as
  // resident.
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t size = page + bytes + std::min(bytes, kLongestRecord);
  ring.consumer_page_ = map_pages(nullptr, page, PROT_READ | PROT_WRITE, MAP_SHARED, ring.fd(), 0);
  ring.data_pages_ =
      map_pages(nullptr, size, PROT_READ, MAP_SHARED, ring.fd(), static_cast<off_t>(page));
  if (!ring.consumer_page_ || !ring.data_pages_) {
    return Error{ErrorKind::kRuntime, fmt::format("cannot map a ring buffer of {} bytes: {}", bytes,
                                                  std::strerror(errno))};
  }
  ring.consumer_ = static_cast<uint64_t*>(ring.consumer_page_.get());
  ring.producer_ = static_cast<uint64_t*>(ring.data_pages_.get());
  ring.data_ = static_cast<const std::byte*>(ring.data_pages_.get()) + page;
  ring.mask_ = bytes - 1;
  return ring;
}

uint64_t RingReader::filled() const {
  return producer().load(std::memory_order_relaxed) - consumer().load(std::memory_order_relaxed);
}

}  // namespace iohops
