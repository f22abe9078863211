// A BPF object loaded as two, at once. The verifier takes most of a start and works for each caller
// by itself, so that two threads take half as long. What each program costs it stands in
// tests/object/budget.tsv.
//
// Both objects are made of the same bytes and have the same maps, which stand before either is
// loaded. Each program is in one of them.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

struct bpf_object;

namespace iohops {

struct CloseObject {
  void operator()(bpf_object* object) const;
};
using ObjectPtr = std::unique_ptr<bpf_object, CloseObject>;

// Whether there is a processor for it.
bool worth_halving();

// System calls and rings are in the first half: they are about half of the verifier's work. So is
// what userspace runs, as it is looked for there.
bool in_first_half(std::string_view program);

// Creates the maps that `object` does not have yet, as libbpf does while it loads. 0, or a negated
// errno.
int create_maps(bpf_object* object);

// Chooses the programs of an object.
using Choice = std::function<void(bpf_object*)>;

struct SecondHalf {
  std::span<const std::byte> elf;
  const char* types = nullptr;  // path, as of TypesFile
  Choice choose;
};

// Loads `first` by `load_first` and meanwhile the other half, which gets the maps of `first` and is
// put into `second`. 0, or a negated errno, with the load log of what failed.
int load_halves(bpf_object* first, const std::function<int()>& load_first, const SecondHalf& how,
                ObjectPtr& second);

}  // namespace iohops
