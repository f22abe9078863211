#include "system/word_ring.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>

namespace iohops {
namespace {

Error cannot_map(uint64_t bytes) {
  return {ErrorKind::kRuntime, fmt::format("cannot map a ring of {} bytes: {} (a smaller one: --ring 1M)", bytes,
                                           std::strerror(errno))};
}

}  // namespace

Result<std::vector<WordRing>> WordRing::of_map(int fd, int count, uint64_t bytes) {
  std::vector<WordRing> rings;
  for (int i = 0; i < count; i++) {
    const auto begin = static_cast<off_t>(static_cast<uint64_t>(i) * room(bytes));
    WordRing ring;
    ring.ends_pages_ = map_pages(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd, begin);
    ring.pages_ = map_pages(nullptr, 2 * bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (!ring.ends_pages_ || !ring.pages_) return cannot_map(bytes);
    auto* first = static_cast<char*>(ring.pages_.get());
    for (char* half : {first, first + bytes}) {
      if (mmap(half, bytes, PROT_READ, MAP_SHARED | MAP_FIXED, fd,
               begin + static_cast<off_t>(kPage)) == MAP_FAILED)
        return cannot_map(bytes);
    }
    ring.ends_ = static_cast<Ends*>(ring.ends_pages_.get());
    ring.words_ = reinterpret_cast<const uint64_t*>(first);
    ring.mask_ = bytes / sizeof(uint64_t) - 1;
    rings.push_back(std::move(ring));
  }
  return rings;
}

}  // namespace iohops
