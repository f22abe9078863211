// Programs that use mapped files.
#include <sys/mman.h>

#include <algorithm>

#include "system/lab/program.hpp"

namespace iohops::lab {
namespace {

class Mapping {
 public:
  Mapping(int fd, int protection, int flags)
      : data_(static_cast<std::byte*>(mmap(nullptr, kPayload, protection, flags, fd, 0))) {
    check(data_ == MAP_FAILED ? -1 : 0, "mmap");
  }
  ~Mapping() { munmap(data_, kPayload); }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  std::byte* data() const { return data_; }

 private:
  std::byte* data_;
};

void load_pages(Run& run, int fd, const char* said) {
  const Mapping mapping(fd, PROT_READ, MAP_SHARED);
  unsigned sum = 0;
  run.begin();
  for (size_t at = 0; at < kPayload; at += kPage)
    sum += std::to_integer<unsigned>(*static_cast<volatile std::byte*>(mapping.data() + at));
  run.end(kPayload, kPayload / kPage, said);
  if (sum == 0) throw std::runtime_error("the mapping is empty");
  run.expect_payload({mapping.data(), kPayload});
}

void load_hot(Run& run) {
  const UniqueFd file = run.file();
  load_pages(run, file.get(), "one load in each of 1,024 pages, cached");
}

void load_cold(Run& run) {
  const UniqueFd file = run.file();
  Run::drop_cache(file.get());
  load_pages(run, file.get(), "one load in each of 1,024 pages, not cached");
}

void store_shared(Run& run) {
  const UniqueFd file = run.file();
  const Mapping mapping(file.get(), PROT_READ | PROT_WRITE, MAP_SHARED);
  run.begin();
  for (size_t at = 0; at < kPayload; at += kPage) mapping.data()[at] = run.payload()[at];
  check(msync(mapping.data(), kPayload, MS_SYNC), "msync");
  run.end(kPayload, kPayload / kPage, "one store in each of 1,024 pages, msync");
  run.expect_payload({mapping.data(), kPayload});
}

void store_private(Run& run) {
  const UniqueFd file = run.file();
  const Mapping mapping(file.get(), PROT_READ | PROT_WRITE, MAP_PRIVATE);
  madvise(mapping.data(), kPayload, MADV_NOHUGEPAGE);
  run.begin();
  for (size_t at = 0; at < kPayload; at += kPage) mapping.data()[at] = run.payload()[at];
  run.end(kPayload, kPayload / kPage, "one store in each of 1,024 pages of a private mapping");
  run.expect_payload({mapping.data(), kPayload});
}

constexpr Named kPrograms[] = {{"mmap-hot", load_hot},
                               {"mmap-cold", load_cold},
                               {"mmap-store", store_shared},
                               {"mmap-private", store_private}};

}  // namespace

std::span<const Named> mapping_programs() { return kPrograms; }

}  // namespace iohops::lab
