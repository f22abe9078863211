#include "system/halves.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sched.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <future>
#include <utility>
#include <vector>

#include "system/load_log.hpp"
#include "system/unique_fd.hpp"

namespace iohops {
namespace {

// .rodata, .data, .bss: they begin as the object has them, and what is read only stays so.
int fill(bpf_map* map, int fd) {
  const uint32_t zero = 0;
  size_t bytes = 0;
  const void* initial = bpf_map__initial_value(map, &bytes);
  if (initial == nullptr) return 0;
  if (bpf_map_update_elem(fd, &zero, initial, BPF_ANY) != 0) return -errno;
  const bool constant = (bpf_map__map_flags(map) & BPF_F_RDONLY_PROG) != 0;
  return constant && bpf_map_freeze(fd) != 0 ? -errno : 0;
}

int create(bpf_map* map) {
  LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = bpf_map__map_flags(map));
  const UniqueFd fd(bpf_map_create(bpf_map__type(map), bpf_map__name(map), bpf_map__key_size(map),
                                   bpf_map__value_size(map), bpf_map__max_entries(map), &options));
  if (!fd) return -errno;
  if (bpf_map__is_internal(map))
    if (const int failed = fill(map, fd.get())) return failed;
  return bpf_map__reuse_fd(map, fd.get()) != 0 ? -errno : 0;
}

std::vector<int> maps_of(bpf_object* object) {
  std::vector<int> fds;
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object) fds.push_back(bpf_map__fd(map));
  return fds;
}

struct Loaded {
  ObjectPtr object;
  int failed = 0;  // negated errno
  std::string log;
};

Loaded load_second(const SecondHalf& how, const std::vector<int>& maps) {
  Loaded loaded;
  begin_load_log();
  LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = "iohops_bpf",
              .btf_custom_path = how.types);
  loaded.object.reset(bpf_object__open_mem(how.elf.data(), how.elf.size(), &options));
  bpf_map* map = nullptr;
  auto fd = maps.begin();
  if (!loaded.object)
    loaded.failed = -errno;
  else
    bpf_object__for_each_map(map, loaded.object.get()) {
      if (loaded.failed == 0 && bpf_map__reuse_fd(map, *fd++) != 0) loaded.failed = -errno;
    }
  if (loaded.failed == 0) {
    how.choose(loaded.object.get());
    loaded.failed = bpf_object__load(loaded.object.get());
  }
  loaded.log = load_log();
  return loaded;
}

}  // namespace

void CloseObject::operator()(bpf_object* object) const { bpf_object__close(object); }

bool worth_halving() {
  cpu_set_t processors;
  return sched_getaffinity(0, sizeof processors, &processors) != 0 || CPU_COUNT(&processors) > 1;
}

bool in_first_half(std::string_view program) {
  return program.starts_with("syscall_") || program.starts_with("uring_") || program == "dma_learn";
}

int create_maps(bpf_object* object) {
  std::vector<bpf_map*> wanted;
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object) {
    if (bpf_map__fd(map) < 0) wanted.push_back(map);
  }
  std::atomic<size_t> next = 0;
  const auto work = [&] {
    for (size_t at = next++; at < wanted.size(); at = next++)
      if (const int failed = create(wanted[at])) return failed;
    return 0;
  };
  auto other = std::async(std::launch::async, work);
  const int failed = work(), failed_there = other.get();
  return failed != 0 ? failed : failed_there;
}

int load_halves(bpf_object* first, const std::function<int()>& load_first, const SecondHalf& how,
                ObjectPtr& second) {
  auto other = std::async(std::launch::async, load_second, std::cref(how), maps_of(first));
  const int failed = load_first();
  Loaded loaded = other.get();
  if (failed != 0 || loaded.failed == 0) {
    second = std::move(loaded.object);
    return failed;
  }
  set_load_log(std::move(loaded.log));
  return loaded.failed;
}

}  // namespace iohops
