#include "system/type_extract.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace iohops {
namespace {

// Types of bpf/kernel.h that a module has where they are not built in. All others stand in code
// that cannot be a module.
constexpr const char* kModules[] = {"ext4", "fuse", "loop"};

constexpr uint32_t kNotWanted = 0, kWanted = ~0U;  // instead of a number

uint32_t bit(uint32_t kind) {
  constexpr uint32_t kEnums = 1U << BTF_KIND_ENUM | 1U << BTF_KIND_ENUM64;  // stand for each other
  const uint32_t own = 1U << (kind & 31);
  return (own & kEnums) != 0 ? kEnums : own;
}

class Extract {
 public:
  Extract(const KernelTypes& kernel, std::span<const SoughtType> sought) : kernel_(kernel) {
    for (const SoughtType& type : sought) {
      Sought& entry = sought_[type.name];
      entry.kinds |= bit(type.kind);
      if (type.by_number) entry.by_number |= bit(type.kind);
      kinds_ |= bit(type.kind);
    }
  }
  void search_kernel();
  void search_module(const KernelTypes& module);
  std::vector<std::byte> write();

 private:
  struct Sought {
    uint32_t kinds = 0, by_number = 0;
    uint32_t found = 0;  // kinds, in the kernel
  };
  // A set of types and the numbers that they get, from its first on.
  struct Source {
    explicit Source(const KernelTypes& from)
        : types(from), numbers(from.count() - from.first(), kNotWanted) {}
    const KernelTypes& types;
    std::vector<uint32_t> numbers;
  };
  Sought* sought(const KernelTypes& types, const btf_type* type);
  void want(Source& source, uint32_t id);
  uint32_t number(const Source& source, uint32_t id) const;
  void assign(Source& source);
  void put(const void* bytes, size_t count);
  uint32_t put_name(const char* name);
  bool is_hidden(const Source& source, const btf_type* type);
  void put_type(const Source& source, const btf_type* type);
  template <typename Entry, typename F>
  void put_entries(const btf_type* type, F&& adapt);
  void put_placeholder();

  std::unordered_map<std::string_view, Sought> sought_;  // names are the caller's
  uint32_t kinds_ = 0;
  Source kernel_;
  std::vector<Source> modules_;
  uint32_t kept_ = 0;  // up to here numbers are the kernel's
  uint32_t last_ = 0;  // number
  std::vector<std::byte> types_;
  std::vector<char> names_{'\0'};
  std::unordered_map<const char*, uint32_t> places_;  // of names
};

Extract::Sought* Extract::sought(const KernelTypes& types, const btf_type* type) {
  if (type == nullptr || (bit(btf_kind(type)) & kinds_) == 0 || type->name_off == 0) return nullptr;
  const std::string_view name = types.name(type);
  const auto found = sought_.find(name.substr(0, essential_length(name)));
  if (found == sought_.end() || (found->second.kinds & bit(btf_kind(type))) == 0) return nullptr;
  return &found->second;
}

void Extract::search_kernel() {
  for (uint32_t id = 1; id < kernel_.types.count(); ++id) {
    const btf_type* type = kernel_.types.type(id);
    Sought* entry = sought(kernel_.types, type);
    if (entry == nullptr) continue;
    entry->found |= bit(btf_kind(type));
    if ((entry->by_number & bit(btf_kind(type))) != 0) kept_ = std::max(kept_, id);
    want(kernel_, id);
  }
}

// Like libbpf: only for what the kernel itself does not have.
void Extract::search_module(const KernelTypes& module) {
  Source source(module);
  for (uint32_t id = module.first(); id < module.count(); ++id) {
    const btf_type* type = module.type(id);
    const Sought* entry = sought(module, type);
    if (entry != nullptr && (entry->found & bit(btf_kind(type))) == 0) want(source, id);
  }
  modules_.push_back(std::move(source));
}

void Extract::want(Source& source, uint32_t id) {
  const btf_type* type = source.types.type(id);
  if (type == nullptr) return;
  Source& owner = id < source.types.first() ? kernel_ : source;
  uint32_t& number = owner.numbers[id - owner.types.first()];
  if (number == kWanted) return;
  number = kWanted;
  switch (btf_kind(type)) {
    case BTF_KIND_STRUCT:
    case BTF_KIND_UNION:
      for (int i = 0; i < btf_vlen(type); ++i) want(owner, btf_members(type)[i].type);
      break;
    case BTF_KIND_ARRAY:
      want(owner, btf_array(type)->type);
      want(owner, btf_array(type)->index_type);
      break;
    case BTF_KIND_TYPEDEF:
    case BTF_KIND_CONST:
    case BTF_KIND_VOLATILE:
    case BTF_KIND_RESTRICT:
    case BTF_KIND_TYPE_TAG:
      want(owner, type->type);
      break;
    default:
      break;
  }
}

void Extract::assign(Source& source) {
  for (uint32_t& number : source.numbers) {
    const auto id = static_cast<uint32_t>(&number - source.numbers.data()) + source.types.first();
    if (&source == &kernel_ && id <= kept_) {
      last_ = id;
      if (number == kWanted) number = id;
    } else if (number == kWanted) {
      number = ++last_;
    }
  }
}

uint32_t Extract::number(const Source& source, uint32_t id) const {
  const Source& owner = id < source.types.first() ? kernel_ : source;
  const uint32_t at = id - owner.types.first();
  return at < owner.numbers.size() ? owner.numbers[at] : kNotWanted;  // which is void's
}

void Extract::put(const void* bytes, size_t count) {
  const auto* first = static_cast<const std::byte*>(bytes);
  types_.insert(types_.end(), first, first + count);
}

uint32_t Extract::put_name(const char* name) {
  if (*name == '\0') return 0;
  const auto [place, fresh] = places_.try_emplace(name, static_cast<uint32_t>(names_.size()));
  if (fresh) names_.insert(names_.end(), name, name + std::strlen(name) + 1);
  return place->second;
}

template <typename Entry, typename F>
void Extract::put_entries(const btf_type* type, F&& adapt) {
  const auto* entries = reinterpret_cast<const Entry*>(type + 1);
  for (int i = 0; i < btf_vlen(type); ++i) {
    Entry entry = entries[i];
    adapt(entry);
    put(&entry, sizeof entry);
  }
}

void Extract::put_placeholder() {
  const btf_type pointer{.name_off = 0, .info = BTF_KIND_PTR << 24, .type = 0};
  put(&pointer, sizeof pointer);
}

// A module's own version of a type that the kernel has, inside one that only the module has (7.3: struct inode in
// ext4_inode_info, where pahole has not found them to be the same). Two of a name would be ambiguous.
bool Extract::is_hidden(const Source& source, const btf_type* type) {
  const Sought* entry = &source == &kernel_ ? nullptr : sought(source.types, type);
  return entry != nullptr && (entry->found & bit(btf_kind(type))) != 0;
}

void Extract::put_type(const Source& source, const btf_type* type) {
  btf_type head = *type;
  head.name_off = is_hidden(source, type) ? 0 : put_name(source.types.name(type));
  const auto rename = [&](auto& entry) {
    entry.name_off = put_name(source.types.name(entry.name_off));
  };
  const auto adapt_member = [&](btf_member& member) {
    rename(member);
    member.type = number(source, member.type);
  };
  switch (btf_kind(type)) {
    case BTF_KIND_STRUCT:
    case BTF_KIND_UNION:
      put(&head, sizeof head);
      return put_entries<btf_member>(type, adapt_member);
    case BTF_KIND_ENUM:
      put(&head, sizeof head);
      return put_entries<struct btf_enum>(type, rename);
    case BTF_KIND_ENUM64:
      put(&head, sizeof head);
      return put_entries<struct btf_enum64>(type, rename);
    case BTF_KIND_ARRAY: {
      struct btf_array array = *btf_array(type);
      array.type = number(source, array.type);
      array.index_type = number(source, array.index_type);
      put(&head, sizeof head);
      return put(&array, sizeof array);
    }
    case BTF_KIND_INT:
    case BTF_KIND_FLOAT:
    case BTF_KIND_FWD:
      put(&head, sizeof head);
      return put(type + 1, tail_of(type));
    case BTF_KIND_TYPEDEF:
    case BTF_KIND_CONST:
    case BTF_KIND_VOLATILE:
    case BTF_KIND_RESTRICT:
    case BTF_KIND_TYPE_TAG:
      head.type = number(source, head.type);
      return put(&head, sizeof head);
    default:  // a pointer, or what holds nothing by value
      return put_placeholder();
  }
}

std::vector<std::byte> Extract::write() {
  assign(kernel_);
  for (Source& module : modules_) assign(module);
  const auto put_all = [&](const Source& source) {
    for (size_t at = 0; at < source.numbers.size(); ++at) {
      const uint32_t id = static_cast<uint32_t>(at) + source.types.first();
      if (source.numbers[at] != kNotWanted)
        put_type(source, source.types.type(id));
      else if (&source == &kernel_ && id >= 1 && id <= kept_)
        put_placeholder();
    }
  };
  put_all(kernel_);
  for (const Source& module : modules_) put_all(module);
  const btf_header head{.magic = BTF_MAGIC,
                        .version = BTF_VERSION,
                        .flags = 0,
                        .hdr_len = sizeof(btf_header),
                        .type_off = 0,
                        .type_len = static_cast<uint32_t>(types_.size()),
                        .str_off = static_cast<uint32_t>(types_.size()),
                        .str_len = static_cast<uint32_t>(names_.size())};
  const auto as_bytes = std::as_bytes(std::span(&head, 1));
  std::vector<std::byte> image(as_bytes.begin(), as_bytes.end());
  image.insert(image.end(), types_.begin(), types_.end());
  const auto names = std::as_bytes(std::span(names_));
  image.insert(image.end(), names.begin(), names.end());
  return image;
}

Error unwritten() {
  return {ErrorKind::kRuntime, std::string("a file in memory: ") + std::strerror(errno)};
}

}  // namespace

std::vector<std::byte> extract_types(const KernelTypes& kernel,
                                     std::span<const KernelTypes* const> modules,
                                     std::span<const SoughtType> sought) {
  Extract extract(kernel, sought);
  extract.search_kernel();
  for (const KernelTypes* module : modules) extract.search_module(*module);
  return extract.write();
}

Result<TypesFile> TypesFile::create() {
  TypesFile file;
  file.file_ = UniqueFd(memfd_create("iohops-types", MFD_CLOEXEC));
  if (!file.file_) return unwritten();
  file.path_ = "/proc/self/fd/" + std::to_string(file.file_.get());
  if (access(file.path_.c_str(), R_OK) != 0) return unwritten();  // no /proc here
  return file;
}

Status TypesFile::fill(const KernelTypes& kernel, std::span<const std::byte> elf) {
  auto sought = sought_types(elf);
  if (!sought) return sought.error();
  std::vector<KernelTypes> modules;
  for (const char* name : kModules)
    if (auto module = KernelTypes::read_module(name, kernel)) modules.push_back(std::move(*module));
  std::vector<const KernelTypes*> each;
  each.reserve(modules.size());
  for (const KernelTypes& module : modules) each.push_back(&module);
  const std::vector<std::byte> image = extract_types(kernel, each, *sought);
  for (std::span<const std::byte> left = image; !left.empty();) {
    const ssize_t count = ::write(file_.get(), left.data(), left.size());
    if (count <= 0) return unwritten();
    left = left.subspan(static_cast<size_t>(count));
  }
  return {};
}

}  // namespace iohops
