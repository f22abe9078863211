// Plan: which BPF programs to load on this kernel, and which figure is lost without each of the
// others. Pure: from measured features to decisions, never from version numbers (stable kernels
// backport changes of prototypes).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/model/model.hpp"

namespace iohops {

// What the running kernel offers, as its BTF tells.
struct Features {
  // Tracepoint -> C types of its arguments without the leading `void *`, as "struct request *".
  std::map<std::string, std::vector<std::string>> tracepoints;
  std::set<std::string> helpers;    // "bpf_find_vma", ...: of enum bpf_func_id
  std::set<std::string> map_types;  // "BPF_MAP_TYPE_RINGBUF", ...: of enum bpf_map_type
  std::string machine;              // uname machine
};

// One BPF program and what it takes. Several programs with the same tracepoint are variants for
// different prototypes: the first that fits is taken.
struct ProgramSpec {
  std::string_view program;
  std::string_view tracepoint;
  bool required = false;            // without it there is no trace
  int arguments = -1;               // that the tracepoint must have, -1: any number
  std::string_view first_argument;  // its C type, empty: any
  std::string_view helper;          // bpf helper that it calls, empty: only such as all have
  std::string_view group;           // programs of one group replace each other; empty: none
  std::string_view lost;            // what is lost without it
};
std::span<const ProgramSpec> program_table();

struct PlannedProgram {
  std::string program;
  std::string tracepoint;
  bool required = false;
  bool enabled = false;
  bool superseded = false;  // not enabled because a variant of it is: nothing is lost
  std::string reason;       // why not enabled
  std::string lost;         // what is lost if it is not (also set when enabled)
};

struct Plan {
  std::vector<PlannedProgram> programs;

  bool possible() const;  // every required hook is there
  bool enabled(std::string_view program) const;
  // A program that the kernel refused at load or attach time.
  void disable(std::string_view program, std::string reason);
  std::vector<std::string> hooks() const;     // tracepoints that will be used, sorted
  std::vector<MissingHook> missing() const;   // what goes into the header
  std::vector<std::string> blockers() const;  // required tracepoints that cannot be used
};

Plan make_plan(const Features&);

// Figure -> grade and why it is not better, for the header and doctor. `dma_api`: a device with DMA
// maps its buffers through the DMA API; `dma_note`: why the others do not.
std::map<std::string, std::pair<Evidence, std::string>> evidence_of(const Plan&, bool dma_api,
                                                                    std::string_view dma_note);

}  // namespace iohops
