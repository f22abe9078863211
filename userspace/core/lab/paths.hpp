// The lab's table: known ways of moving bytes, what textbooks say of each, and whether a measurement
// agrees. Pure: sees figures only.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace iohops {

// Per byte of payload, and per round of the program's loop.
struct Textbook {
  double cpu_copies = 0;
  double dma = 0;      // by the disk
  double nic_dma = 0;  // by a network card: what this machine's loopback cannot show
  std::optional<double> switches;  // unset: it depends on the kernel (pages per fault)
};

// What the kernel must tell for a path to be seen at all.
enum class LabNeed : uint8_t { kNothing, kFaults, kUring };

struct LabPath {
  std::string_view name;
  std::string_view summary;  // what the program does, one line
  Textbook textbook;
  LabNeed needs = LabNeed::kNothing;
};
std::span<const LabPath> lab_paths();
const LabPath* find_lab_path(std::string_view name);
// The name that was probably meant; empty: none is near.
std::string_view near_lab_path(std::string_view name);

// What was measured of one program.
struct LabFigures {
  uint64_t bytes = 0;   // payload
  uint64_t rounds = 0;  // of its loop
  uint64_t requests = 0;
  uint64_t cpu_copy_bytes = 0;
  uint64_t dma_bytes = 0;
  uint64_t mode_switches = 0;
  uint64_t duration_ns = 0;
  bool complete = true;  // no request of it lost anything

  double copies_per_byte() const;
  double dma_per_byte() const;
  double switches_per_mib() const;
  double switches_per_round() const;
};

struct LabVerdict {
  bool agrees = true;
  std::string why;  // what differs, or what could not be judged; empty: nothing to say
};
// What this machine can show.
struct LabConditions {
  bool dma = true;     // the disk below the programs' files moves data by DMA
  bool faults = true;  // page faults on cached pages have a tracepoint (6.12)
  bool uring = true;   // io_uring's tracepoints name requests (6.0)
};
LabVerdict judge(const LabPath& path, const LabFigures& figures, const LabConditions& conditions);

struct LabRow {
  const LabPath* path = nullptr;
  LabFigures figures;
  LabVerdict verdict;
  std::string said;     // by the program
  std::string skipped;  // why it could not run here; empty: it ran
};

}  // namespace iohops
