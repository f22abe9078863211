// The BPF object under test: opened, its knobs set, loaded through this kernel's verifier. Sees
// libbpf and the bytes of an object; no plan, no verdict.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "system/type_extract.hpp"

struct bpf_insn;
struct bpf_object;

namespace iohops {

// What makes the object a different program: the knobs of bpf/state.h.
struct Knobs {
  const char* name;
  unsigned scope;  // SCOPE_ONE, SCOPE_SET, SCOPE_ALL
  bool follow;
  bool tally;
  bool light = false;
};

struct Outcome {
  bool loaded = false;
  unsigned instructions = 0;  // that the verifier walked
  std::string log;            // why not
};

class BpfObject {
 public:
  // How libbpf is to look for the kernel's types.
  enum class Types { kExtract, kAll };
  // An object file, or, for an empty path, the object that iohops carries.
  explicit BpfObject(const std::string& path, Types types = Types::kExtract);
  ~BpfObject();
  BpfObject(const BpfObject&) = delete;
  BpfObject& operator=(const BpfObject&) = delete;

  bool opened() const { return object_ != nullptr; }
  std::vector<std::string> programs() const;
  // A constant of the object, found by its name because compilers lay them out differently. False:
  // there is none of this name and size.
  template <typename T>
  bool set(const char* name, T value) {
    return set_bytes(name, &value, sizeof value);
  }
  // Loads these programs together and nothing else; usable once.
  std::map<std::string, Outcome> load(const std::vector<std::string>& wanted);
  // Of a program that was loaded, as the kernel got them, but for the numbers of maps.
  std::vector<bpf_insn> instructions(const std::string& program) const;

 private:
  bool set_bytes(const char* name, const void* value, size_t bytes);
  std::optional<TypesFile> types_;
  bpf_object* object_ = nullptr;
};

}  // namespace iohops
