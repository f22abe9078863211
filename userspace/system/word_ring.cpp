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

Result<std::vector<WordRing>> WordRing::of_maps(int ends_fd, int words_fd, int count, uint64_t bytes) {
  std::vector<WordRing> rings;
  const auto ends = std::make_shared<Mapping>(map_pages(
      nullptr, static_cast<size_t>(count) * sizeof(Ends), PROT_READ | PROT_WRITE, MAP_SHARED, ends_fd, 0));
  if (!*ends) return cannot_map(static_cast<size_t>(count) * sizeof(Ends));
  for (int i = 0; i < count; i++) {
    WordRing ring;
    ring.pages_ = map_pages(nullptr, 2 * bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (!ring.pages_) return cannot_map(bytes);
    auto* first = static_cast<char*>(ring.pages_.get());
    for (char* half : {first, first + bytes}) {
      if (mmap(half, bytes, PROT_READ, MAP_SHARED | MAP_FIXED, words_fd,
               static_cast<off_t>(static_cast<uint64_t>(i) * room(bytes))) == MAP_FAILED)
        return cannot_map(bytes);
    }
    ring.ends_pages_ = ends;
    ring.ends_ = static_cast<Ends*>(ends->get()) + i;
    ring.words_ = reinterpret_cast<const uint64_t*>(first);
    ring.mask_ = bytes / sizeof(uint64_t) - 1;
    rings.push_back(std::move(ring));
  }
  return rings;
}

}  // namespace iohops
