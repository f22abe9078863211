#include "system/session.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <malloc.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <future>
#include <optional>
#include <span>
#include <string_view>

#include "core/ops.hpp"
#include "iohops.skel.h"
#include "system/host.hpp"
#include "system/load_log.hpp"
#include "system/page_array.hpp"
#include "system/ring_set.hpp"
#include "system/syscalls.hpp"
#include "system/type_extract.hpp"

namespace iohops {
namespace {

uint64_t nanoseconds(const timespec& time) {
  return static_cast<uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(time.tv_nsec);
}

constexpr uint32_t kRings = 64;          // RINGS of bpf/state.h
constexpr uint32_t kNoGeneration = ~1U;  // GENERATION_NONE of bpf/track.h

// 8 MiB hold 80 ms of the fastest single process measured (1 M requests/s); many CPUs share 256
// MiB.
uint64_t default_ring_bytes() {
  return std::clamp(std::bit_floor((uint64_t{256} << 20) / RingSet::count(kRings)),
                    uint64_t{1} << 20, uint64_t{8} << 20);
}

// Two rings of words for each CPU, of all together no more than 128 MiB. 1 MiB holds 33 ms of the
// fastest single process measured and stays in the caches; what does not fit goes into the ring
// buffer.
uint64_t word_ring_bytes(uint64_t ring_bytes) {
  const auto cpus = static_cast<uint64_t>(std::max(1, libbpf_num_possible_cpus()));
  const uint64_t share = std::bit_floor((uint64_t{64} << 20) / cpus);
  return std::clamp(std::min(share, ring_bytes / 8), uint64_t{4096}, uint64_t{1} << 20);
}

// 0: /proc is not there; then no network device is known.
uint32_t network_namespace() {
  struct stat facts {};
  return stat("/proc/self/ns/net", &facts) == 0 ? static_cast<uint32_t>(facts.st_ino) : 0;
}

// Operations that nobody wants are never begun. A ring's calls are needed for its requests.
void choose_ops(iohops_bpf& skeleton, const std::function<bool(std::string_view)>& wants) {
  auto& knobs = *skeleton.rodata;
  knobs.ring_ops = 0;
  knobs.aio_ops = 0;
  for (uint16_t code = 0; code < 64; code++)
    if (wants(op_name(WIRE_OP_URING + code))) knobs.ring_ops |= uint64_t{1} << code;
  for (uint16_t code = 0; code < 16; code++)
    if (wants(op_name(WIRE_OP_AIO + code))) knobs.aio_ops |= 1U << code;
  const bool rings = knobs.ring_ops != 0 || knobs.aio_ops != 0;
  for (const auto& table : {std::span(knobs.op_of_syscall), std::span(knobs.op_of_compat)}) {
    for (const volatile uint8_t& op : table) {
      const bool needed = rings && family(op) == OpFamily::kRing;
      if (!needed && !wants(op_name(op))) const_cast<uint8_t&>(op) = 0;
    }
  }
}

void set_filter(iohops_bpf& skeleton, const EarlyFilter& filter) {
  auto& knobs = *skeleton.rodata;
  if (filter.wants_op) choose_ops(skeleton, filter.wants_op);
  knobs.min_latency_ns = filter.min_latency_ns;
  knobs.min_bytes = filter.min_bytes;
  if (filter.devices.size() <= std::size(knobs.wanted_devs))  // of more, userspace judges
    std::copy(filter.devices.begin(), filter.devices.end(), std::begin(knobs.wanted_devs));
  knobs.judge_requests =
      filter.min_latency_ns > 0 || filter.min_bytes > 0 || knobs.wanted_devs[0] != 0;
  knobs.judge_paths = !filter.paths.empty();
  if (!knobs.judge_paths) bpf_map__set_max_entries(skeleton.maps.unwanted_files, 1);
}

// See bpf/same.h for why only here.
void set_word_rings(iohops_bpf& skeleton, uint64_t bytes) {
#if defined(__x86_64__)
  const auto cpus = static_cast<uint32_t>(std::max(1, libbpf_num_possible_cpus()));
  bpf_map__set_max_entries(skeleton.maps.word_rings, 2 * cpus);
  skeleton.rodata->word_cpus = cpus;
  bpf_map__set_value_size(skeleton.maps.word_rings, static_cast<uint32_t>(WordRing::room(bytes)));
  skeleton.rodata->word_mask = static_cast<uint32_t>(bytes / sizeof(uint64_t) - 1);
#else
  (void)skeleton, (void)bytes;
#endif
}

void set_knobs(iohops_bpf& skeleton, const SessionOptions& options, const Plan& plan) {
  auto& knobs = *skeleton.rodata;
  knobs.scope = options.all ? 2 : (options.pids.size() == 1 && !options.follow) ? 0 : 1;
  knobs.follow = options.follow;
  knobs.tally = options.tally;
  knobs.self_tgid = static_cast<uint32_t>(getpid());
  knobs.self_netns = network_namespace();
  knobs.ring_mask = RingSet::count(kRings) - 1;
  knobs.page_shift =
      static_cast<uint32_t>(std::countr_zero(static_cast<uint64_t>(sysconf(_SC_PAGESIZE))));
  knobs.can_type_task = plan.uses("bpf_get_current_task_btf");
  knobs.can_find_vma = plan.uses("bpf_find_vma");
  knobs.can_cast = plan.uses("bpf_rdonly_cast");
  knobs.light = plan.depth == Depth::kBelow;
  knobs.can_see_calls = plan.uses("bpf_task_pt_regs");
  knobs.can_hold = plan.uses("bpf_preempt_disable");
  knobs.measure_copies = plan.measures_copies();
  knobs.watch_dma = plan.watches_dma();
#if defined(__x86_64__)
  knobs.know_running = plan.enabled("sched_switch");
#endif
  knobs.watch_streams = plan.watches_streams();
  number_syscalls(const_cast<uint8_t*>(knobs.op_of_syscall));
  number_compat_syscalls(const_cast<uint8_t*>(knobs.op_of_compat));
  set_filter(skeleton, options.filter);
  size_t used = 0;
  for (const auto& [dev, ino] : options.own_files) {
    if (used == std::size(knobs.self_inos)) break;
    knobs.self_devs[used] = dev;
    knobs.self_inos[used++] = ino;
  }
  if (options.tally) {
    knobs.word_mask = 0;
  } else {
    bpf_map__set_max_entries(skeleton.maps.tallies, 1);
    bpf_map__set_max_entries(skeleton.maps.tally_rows, 1);
    bpf_map__set_max_entries(skeleton.maps.taken_rows, 1);
    set_word_rings(skeleton, word_ring_bytes(options.ring_bytes.value_or(default_ring_bytes())));
  }
  // Seldom used, and 19 MiB to prepare: 27 ms of a start's 330. Before 6.1 a program cannot get
  // memory safely.
  if (plan.uses("bpf_mem_alloc_init"))
    bpf_map__set_map_flags(skeleton.maps.more_threads, BPF_F_NO_PREALLOC);
  if (!plan.watches_dma()) {
    bpf_map__set_max_entries(skeleton.maps.memories, 1);
    bpf_map__set_max_entries(skeleton.maps.buffers, 1);
  }
}

std::span<const std::byte> elf() {
  size_t bytes = 0;
  const void* first = iohops_bpf__elf_bytes(&bytes);
  return {static_cast<const std::byte*>(first), bytes};
}

// The types that relocations look for, gathered in the background. Without them libbpf looks among
// all types, to the same end.
class GatheredTypes {
 public:
  GatheredTypes() {
    if (auto file = TypesFile::create()) file_.emplace(std::move(*file));
    if (file_) filled_ = std::async(std::launch::async, [this] { return fill(); });
  }
  const char* path() const { return file_ ? file_->path() : nullptr; }
  // False: there is no path any more. Before the first load.
  bool complete() {
    if (filled_.valid() && !filled_.get()) file_.reset();
    return file_.has_value();
  }

 private:
  bool fill() {
    const Result<KernelTypes> kernel = KernelTypes::read();
    return kernel && file_->fill(*kernel, elf());
  }
  std::optional<TypesFile> file_;
  std::future<bool> filled_;
};

iohops_bpf* open_object(const char* types) {
  LIBBPF_OPTS(bpf_object_open_opts, how, .btf_custom_path = types);
  return iohops_bpf__open_opts(&how);
}

enum class Part : uint8_t { kAll, kFirst, kSecond };

void choose_programs(bpf_object* object, const Plan& plan, Part part) {
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object) {
    const std::string_view name = bpf_program__name(program);
    const bool here = part == Part::kAll || in_first_half(name) == (part == Part::kFirst);
    bpf_program__set_autoload(program, here && plan.enabled(name));
  }
}

// 0, or a negated errno. `second` stays empty where one processor would do all the work.
int load_object(iohops_bpf& skeleton, const Plan& plan, const char* types, ObjectPtr& second) {
  if (!worth_halving()) {
    choose_programs(skeleton.obj, plan, Part::kAll);
    return iohops_bpf__load(&skeleton);
  }
  choose_programs(skeleton.obj, plan, Part::kFirst);
  const SecondHalf how{.elf = elf(), .types = types, .choose = [&](bpf_object* other) {
                         choose_programs(other, plan, Part::kSecond);
                       }};
  return load_halves(
      skeleton.obj, [&] { return iohops_bpf__load(&skeleton); }, how, second);
}

bool any_uses_dma_layer(const std::vector<BlockDevice>& devices) {
  return std::any_of(devices.begin(), devices.end(),
                     [](const BlockDevice& block) { return block.device.dma && block.dma_api; });
}

// What joins a physical address to a page, or the reason why it cannot be done.
void learn_page_array(iohops_bpf& skeleton, int ring_fd, Plan& plan) {
  if (!plan.watches_dma()) return;
  const int program = bpf_program__fd(skeleton.progs.dma_learn);
  LIBBPF_OPTS(bpf_test_run_opts, run);
  if (program < 0 || bpf_prog_test_run_opts(program, &run) != 0 || run.retval != 0) {
    plan.disable_physical_addresses("the struct page of a ring buffer cannot be read");
    return;
  }
  const auto& learnt = *skeleton.bss;
  const Result<uint64_t> array = find_page_array(
      ring_fd, {{learnt.learn_page[0], learnt.learn_page[1]}, learnt.learn_page_bytes});
  if (array)
    skeleton.bss->page_array = *array;
  else
    plan.disable_physical_addresses(array.error().message);
}

}  // namespace

void Session::Destroy::operator()(iohops_bpf* skeleton) const { iohops_bpf__destroy(skeleton); }
void Session::Destroy::operator()(bpf_link* link) const { bpf_link__destroy(link); }

Result<std::unique_ptr<Session>> Session::load(const SessionOptions& options, Plan& plan) {
  if (!plan.possible()) {
    return Error{ErrorKind::kKernel,
                 fmt::format("cannot trace: {} (iohops doctor tells what this kernel lacks)",
                             plan.blockers.front())};
  }
  std::unique_ptr<Session> session(new Session);
  session->options_ = options;
  if (!any_uses_dma_layer(options.devices)) plan.leave_dma_out();
  if (options.tally) plan.leave_unsummed_out();
  if (options.filter.wants_op && !options.filter.wants_op(op_name(WIRE_OP_PAGE_FAULT)))
    plan.leave_page_faults_out();
  if (options.tally) plan.leave_copies_out("");  // top derives them: it must cost less
  GatheredTypes types;
  auto rings = RingSet::create(kRings, options.ring_bytes.value_or(default_ring_bytes()));
  if (!rings) return rings.error();
  // One refused program fails the whole object: leave it out and try again.
  for (;;) {
    begin_load_log();
    session->skeleton_.reset(open_object(types.path()));
    if (!session->skeleton_) return cannot_load(errno);
    set_knobs(*session->skeleton_, options, plan);
    if (bpf_map__reuse_fd(session->skeleton_->maps.rings, rings->map_fd()))
      return cannot_load(errno);
    int failed = worth_halving() ? create_maps(session->skeleton_->obj) : 0;
    if (types.path() != nullptr && !types.complete()) continue;
    if (!failed) failed = load_object(*session->skeleton_, plan, types.path(), session->second_);
    if (!failed) break;
    // Then it is not this program's fault: to try them all would take a second, and end the same.
    if (read_host().lockdown == Lockdown::kConfidentiality) return cannot_load(-failed);
    const std::string program = refused_program();
    if (program.empty() || !plan.enabled(program)) return cannot_load(-failed);
    plan.disable(program, "the kernel refused it: " + verifier_reason(-failed));
    if (!plan.possible()) return cannot_load(-failed);
  }
  auto filled = rings->finish();
  if (!filled) return filled.error();
  session->rings_ = std::move(*filled);
  session->refused_.resize(session->rings_.size());
  if (Status mapped = session->map_word_rings(); !mapped) return mapped.error();
  learn_page_array(*session->skeleton_, session->rings_.front().fd(), plan);
  malloc_trim(0);  // libbpf had all types of the kernel, twice
  return session;
}

Session::~Session() { detach(); }

std::vector<bpf_program*> Session::programs() const {
  std::vector<bpf_program*> programs;
  for (const bpf_object* object : {skeleton_->obj, second_.get()}) {
    bpf_program* program = nullptr;
    while (object != nullptr && (program = bpf_object__next_program(object, program)) != nullptr)
      if (bpf_program__fd(program) >= 0) programs.push_back(program);
  }
  return programs;
}

Status Session::map_word_rings() {
  const uint64_t mask = skeleton_->rodata->word_mask;
  if (mask == 0) return {};
  auto words = WordRing::of_map(bpf_map__fd(skeleton_->maps.word_rings), 2 * libbpf_num_possible_cpus(),
                                (mask + 1) * sizeof(uint64_t));
  if (!words) return words.error();
  word_rings_ = std::move(*words);
  return {};
}

uint64_t Session::arm() {
  auto& state = *skeleton_->bss;
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  if (options_.from_exec) {
    std::atomic_ref(state.awaited_tgid).store(options_.pids.front(), std::memory_order_release);
    std::atomic_ref(state.armed).store(true, std::memory_order_release);
    std::atomic_ref(state.generation).store(1, std::memory_order_release);
    return nanoseconds(now);
  }
  const int targets = bpf_map__fd(skeleton_->maps.targets);
  for (uint32_t pid : options_.pids) {
    bpf_map_update_elem(targets, &pid, &pid, BPF_ANY);
    std::atomic_ref(state.targets_near[pid & 0xffff]).store(1, std::memory_order_release);
  }
  std::atomic_ref(state.armed).store(true, std::memory_order_release);
  if (options_.pids.size() == 1)
    std::atomic_ref(state.only_tgid).store(options_.pids.front(), std::memory_order_release);
  std::atomic_ref(state.generation).store(1, std::memory_order_release);
  return nanoseconds(now);
}

void Session::drop_target(uint32_t pid) {
  auto& only = skeleton_->bss->only_tgid;
  if (only == pid) std::atomic_ref(only).store(0, std::memory_order_release);
  bpf_map_delete_elem(bpf_map__fd(skeleton_->maps.targets), &pid);
  std::atomic_ref(skeleton_->bss->generation).fetch_add(1, std::memory_order_release);
}

void Session::disarm() {
  auto& state = *skeleton_->bss;
  std::atomic_ref(state.awaited_tgid).store(0, std::memory_order_release);
  std::atomic_ref(state.only_tgid).store(0, std::memory_order_release);
  for (auto& near : state.targets_near) std::atomic_ref(near).store(0, std::memory_order_relaxed);
  std::atomic_ref(state.armed).store(false, std::memory_order_release);
  std::atomic_ref(state.generation).store(kNoGeneration, std::memory_order_release);
}

uint64_t Session::refused_bytes(size_t ring) const {
  return std::atomic_ref(skeleton_->bss->ring_lost_bytes[ring]).load(std::memory_order_relaxed);
}

// What was refused between two drains would have had to wait behind what was there. What is refused
// while it is drained counts for both: rather a little too much than a ring that is too small
// again.
void Session::note_refused(size_t ring, uint64_t filled, uint64_t refused) {
  const uint64_t more = refused_bytes(ring) - refused_[ring];
  if (more > 0) ring_wanted_ = std::max(ring_wanted_, std::max(filled, ring_bytes()) + more);
  refused_[ring] = refused;
}

void Session::drop_file(uint32_t alias) {
  const uint32_t yes = 1;
  bpf_map_update_elem(bpf_map__fd(skeleton_->maps.unwanted_files), &alias, &yes, BPF_ANY);
  std::atomic_ref(skeleton_->bss->verdicts).fetch_add(1, std::memory_order_release);
}

void Session::detach() { links_.clear(); }

void Session::close_leftovers() {
  const int program = bpf_program__fd(skeleton_->progs.syscall_leftovers);
  if (program < 0) return;  // before 5.14: what is still open then counts as lost
  LIBBPF_OPTS(bpf_test_run_opts, run);
  bpf_prog_test_run_opts(program, &run);
}

bool Session::maps_answer() const {
  uint32_t key = 0;
  return bpf_map_get_next_key(bpf_map__fd(skeleton_->maps.cpu_states), nullptr, &key) == 0 ||
         errno != EPERM;
}

size_t Session::bios_in_flight() const {
  const int map = bpf_map__fd(skeleton_->maps.bios);
  size_t count = 0;
  uint64_t key = 0;
  for (int failed = bpf_map_get_next_key(map, nullptr, &key); !failed && count < 16384; count++)
    failed = bpf_map_get_next_key(map, &key, &key);
  const auto& places = skeleton_->bss->bio_places;  // whose it is, and by how many it is claimed
  for (size_t place = 0; place < std::size(places); place += 2)
    count += std::atomic_ref(places[place]).load(std::memory_order_relaxed) != 0;
  return count;
}

bool Session::targets_left() const {
  uint32_t key = 0;
  return bpf_map_get_next_key(bpf_map__fd(skeleton_->maps.targets), nullptr, &key) == 0;
}

}  // namespace iohops
