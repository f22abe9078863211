// Plan: which BPF programs to load on this kernel, and which figure is lost without each of the
// others. Pure: from measured features to decisions, never from version numbers (stable kernels
// backport changes of prototypes).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/copies.hpp"
#include "core/model/model.hpp"

namespace iohops {

// What the running kernel offers, as its BTF tells.
struct Features {
  // Tracepoint -> C types of its arguments without the leading `void *`: "struct request *".
  std::map<std::string, std::vector<std::string>> tracepoints;
  std::set<std::string> helpers;        // "bpf_find_vma", ...: of enum bpf_func_id, and a few functions
  std::set<std::string> map_types;      // "BPF_MAP_TYPE_RINGBUF", ...
  std::set<std::string> program_types;  // "BPF_PROG_TYPE_SYSCALL", ...
  std::string machine;                  // uname machine
  // Of the functions that the table names: C types of the arguments of those in BTF, and the names
  // of those in the symbol table (read only if kprobes are needed).
  std::map<std::string, std::vector<std::string>> functions;
  std::set<std::string> symbols;
  std::string fentry_refused;   // why fexit programs cannot be used, empty: they can
  std::string kprobes_refused;  // the same of kprobes
};

// How all hooks on copy functions together are called where none can be had.
inline constexpr std::string_view kCopyFunctions = "copy functions";
inline constexpr std::string_view kStreams = "streams of the C library";

enum class Attach : uint8_t {
  kTracepoint,
  kPageFaults,
  kRun,  // userspace runs it
  kUprobe,
  kUretprobe,
  kFunction,  // the exit of a function (fexit), for a figure of its own
  // The functions that copy for system calls, which the check at the start judges together:
  kFexit,
  kKprobe,
  kKretprobe
};
constexpr bool of_library(Attach attach) {
  return attach == Attach::kUprobe || attach == Attach::kUretprobe;
}
constexpr bool of_function(Attach attach) { return attach >= Attach::kFexit; }

// One BPF program and what it takes.
struct ProgramSpec {
  std::string_view program;
  // Or event, function, functions of a library (with commas between), see `attach`; empty: none.
  std::string_view tracepoint;
  // Leading arguments that it reads, as C types with commas between; `_` is any type. The
  // tracepoint may have more, but not where `.` stands.
  std::string_view arguments;
  std::string_view lost;  // what is lost without it
  // Programs of one group stand in for each other on different kernels: the first of the table that
  // fits is taken, of each tracepoint.
  std::string_view group = {};
  std::string_view instead_of = {};  // only where that program is not used
  std::string_view helper = {};  // bpf helper that it needs beyond those that all need
  bool required = false;         // without it there is no trace
  bool dma_layer = false;        // gives nothing unless a device maps through the DMA layer
  Attach attach = Attach::kTracepoint;
  uint8_t copy_hook = 0;  // not a tracepoint: enum wire_copy_hook
};
std::span<const ProgramSpec> program_table();

struct PlannedProgram {
  std::string program;
  std::string tracepoint;
  std::string group;
  std::string instead_of;
  bool required = false;
  bool dma_layer = false;
  bool enabled = false;
  bool superseded = false;  // not enabled, and nothing is lost: one of its group is, or it would
                            // never fire
  Attach attach = Attach::kTracepoint;
  uint8_t copy_hook = 0;
  std::string reason;  // why not enabled
  std::string lost;    // what is lost if it is not (also set when enabled)
};

// What is traced: every request, or what happens below system calls, whose tracepoints are left alone.
enum class Depth : uint8_t { kRequests, kBelow };

struct Plan {
  Depth depth = Depth::kRequests;
  std::vector<PlannedProgram> programs;
  std::set<std::string, std::less<>> helpers;  // optional ones that are there: "bpf_find_vma"

  MeasuredCopies measured;  // what the hooks on copy functions cover

  // What stands in the way of any trace: kernel features, required hooks. Empty: tracing is
  // possible.
  std::vector<std::string> blockers;

  bool possible() const { return blockers.empty(); }
  bool enabled(std::string_view program) const;
  bool attached(std::string_view tracepoint) const;  // by any variant
  // A program that the kernel refused at load or attach time.
  void disable(std::string_view program, std::string reason);
  // No device here maps through the DMA layer: its hooks would cost and never give anything.
  void leave_dma_out();
  void take_streams();  // --stdio: left out otherwise
  bool watches_streams() const;
  void leave_page_faults_out();  // nobody wants them
  // What top does not add up: how long a device took, what networks move. A program that has nothing to do costs 30 ns.
  void leave_unsummed_out();
  // Physical addresses cannot be joined to pages: of the DMA hooks, only those that name pages
  // stay.
  void disable_physical_addresses(const std::string& reason);
  bool watches_dma() const;
  bool measures_copies() const;
  std::string why_not_measured() const;  // of copies that are derived
  // Without hooks on copy functions; `reason` empty: nobody asked for them.
  void leave_copies_out(const std::string& reason);
  // What the check at the start showed.
  void choose_copies(const CopyChoice& choice);
  bool uses(std::string_view helper) const { return helpers.count(helper) != 0; }
  std::vector<std::string> hooks() const;    // tracepoints that will be used, sorted
  std::vector<MissingHook> missing() const;  // what goes into the header
};

Plan make_plan(const Features&, Depth = Depth::kRequests);

// Figure -> grade and why it is not better, for the header and doctor. `dma_api`: a device with DMA
// maps its buffers through the DMA API; `dma_note`: why the others do not.
std::map<std::string, std::pair<Evidence, std::string>> evidence_of(const Plan&, bool dma_api,
                                                                    std::string_view dma_note);

}  // namespace iohops
