// scale [CPUS RECORDS_PER_SECOND]: what the capturing thread would do on a machine with so many
// CPUs, all of them producing. There is no kernel in it: the contents of the rings of words are made in memory, as
// they lie after a round of 4 ms, and go through the same Orderer and Spool as a recording's, on
// the clock of the simulated machine. Without arguments, a table.
//
// What it leaves out: the fetch of a record from another CPU's cache, which the kernel's producers
// make dearer, and the lock of a ring that CPUs share.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <optional>
#include <span>
#include <vector>

#include "bpf/wire.h"
#include "core/decode.hpp"
#include "core/order.hpp"
#include "system/spool.hpp"

namespace {

using namespace iohops;

// Processor time of this thread, ns: other work on this machine does not count.
uint64_t cpu_ns() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

constexpr uint64_t kRoundNs = 4'000'000;    // capture.cpp: kBusyWaitMs
constexpr uint64_t kWindowNs = 10'000'000;  // capture.cpp: kOrderWindow
constexpr uint64_t kRecords =
    20'000'000;  // of a simulation, enough for a second at the highest rate
constexpr double kMiB = 1 << 20;

struct Outcome {
  double ns_per_record = 0;
  double peak_mib = 0;  // in all rings
  uint64_t late = 0;
};

struct Machine {
  uint32_t cpus;
  uint64_t per_second;  // records of all CPUs
};

// What one round adds to the ring of one CPU: evenly spread records, each CPU a little off the others.
void fill(std::vector<wire_same>& ring, const Machine& machine, uint32_t cpu, uint64_t begin) {
  const uint64_t count = machine.per_second * kRoundNs / 1'000'000'000 / machine.cpus;
  for (uint64_t i = 0; i < count; i++) {
    wire_same record = {};
    record.time_ns = begin + i * kRoundNs / count + cpu * 7;
    record.kind = WIRE_SAME + int{WIRE_SAME_AHEAD};
    record.size = sizeof record;
    record.context = WIRE_CONTEXT(cpu + 1, 1);
    record.duration_ns = 500;
    ring.push_back(record);
  }
}

// The converting thread, whose time is not this one's.
bool convert(Spool& spool, Spool::Chunk& chunk) {
  while (spool.backlog_bytes() > 0) {
    auto taken = spool.take(std::move(chunk), std::chrono::milliseconds(0));
    if (!taken || !*taken) return false;
    chunk = std::move(**taken);
  }
  return true;
}

std::optional<Outcome> simulate(const Machine& machine) {
  Orderer orderer;
  Spool spool(size_t{8} << 20, size_t{8} << 20, "/var/tmp");
  std::vector<std::vector<wire_same>> rings(machine.cpus);
  std::vector<Orderer::Source> sources;
  Outcome outcome;
  uint64_t records = 0;
  uint64_t busy = 0;
  Spool::Chunk chunk;
  for (uint64_t now = kRoundNs; records < kRecords; now += kRoundNs) {
    for (uint32_t cpu = 0; cpu < machine.cpus; cpu++) fill(rings[cpu], machine, cpu, now);
    size_t waiting = 0;
    for (const auto& ring : rings) waiting += ring.size() * sizeof(wire_same);
    outcome.peak_mib = std::max(outcome.peak_mib, static_cast<double>(waiting) / kMiB);
    const uint64_t begin = cpu_ns();
    sources.clear();
    for (uint32_t cpu = 0; cpu < machine.cpus; cpu++)
      sources.push_back({std::as_bytes(std::span(rings[cpu])), cpu});
    const Status released = orderer.release(now + kRoundNs - kWindowNs, sources, [&](const Orderer::Run& run) {
      records += run.records;
      return spool.append(run.bytes);
    });
    busy += cpu_ns() - begin;
    if (!released || !convert(spool, chunk)) return {};
    for (const Orderer::Source& source : sources) {
      auto& ring = rings[source.ring];
      ring.erase(ring.begin(), ring.end() - static_cast<ptrdiff_t>(source.waiting.size() / sizeof(wire_same)));
    }
  }
  outcome.late = orderer.late();
  outcome.ns_per_record = static_cast<double>(busy) / static_cast<double>(records);
  return outcome;
}

int print(const Machine& machine) {
  const auto outcome = simulate(machine);
  if (!outcome) {
    fmt::print(stderr, "scale: the spool failed\n");
    return 1;
  }
  fmt::print("{:>6} {:>12.1f} {:>12.1f} {:>14.1f} {:>10.0f} % {:>12.1f} {:>9}\n", machine.cpus,
             static_cast<double>(machine.per_second) / 1e6, outcome->ns_per_record,
             1e3 / outcome->ns_per_record,
             outcome->ns_per_record * static_cast<double>(machine.per_second) / 1e7,
             outcome->peak_mib, outcome->late);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 1 && argc != 3) {
    fmt::print(stderr, "usage: scale [CPUS RECORDS_PER_SECOND]\n");
    return 2;
  }
  fmt::print("{:>6} {:>12} {:>12} {:>14} {:>12} {:>12} {:>9}\n", "CPUs", "M records/s", "ns/record",
             "could do M/s", "of a core", "rings MiB", "late");
  if (argc == 3)
    return print({static_cast<uint32_t>(std::atoi(argv[1])), std::strtoull(argv[2], nullptr, 10)});
  int status = 0;
  for (uint32_t cpus : {1, 8, 64, 192})
    for (uint64_t millions : {1, 5, 20}) status |= print({cpus, millions * 1'000'000});
  return status;
}
