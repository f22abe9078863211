#include "system/kernel_types.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "system/unique_fd.hpp"

namespace iohops {
namespace {

constexpr const char* kFolder = "/sys/kernel/btf/";

// The kernel gives a page a call.
bool read_all(int fd, std::vector<std::byte>& into) {
  size_t at = 0;
  while (at < into.size()) {
    const ssize_t got = ::read(fd, &into[at], into.size() - at);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    at += static_cast<size_t>(got);
  }
  return at == into.size();
}

Error unreadable(const std::string& path, const char* why) {
  return {ErrorKind::kRuntime, path + ": " + why};
}

constexpr const char* kDamaged = "it is not what its head says (damaged)";

}  // namespace

size_t tail_of(const btf_type* type) {
  const size_t count = btf_vlen(type);
  switch (btf_kind(type)) {
    case BTF_KIND_INT:
      return sizeof(uint32_t);
    case BTF_KIND_ARRAY:
      return sizeof(struct btf_array);
    case BTF_KIND_STRUCT:
    case BTF_KIND_UNION:
      return count * sizeof(struct btf_member);
    case BTF_KIND_ENUM:
      return count * sizeof(struct btf_enum);
    case BTF_KIND_ENUM64:
      return count * sizeof(struct btf_enum64);
    case BTF_KIND_FUNC_PROTO:
      return count * sizeof(struct btf_param);
    case BTF_KIND_VAR:
      return sizeof(struct btf_var);
    case BTF_KIND_DATASEC:
      return count * sizeof(struct btf_var_secinfo);
    case BTF_KIND_DECL_TAG:
      return sizeof(struct btf_decl_tag);
    default:
      return 0;  // a pointer, a typedef, a function and others that name one type
  }
}

void KernelTypes::Unmap::operator()(void* memory) const { munmap(memory, bytes); }

bool KernelTypes::index(const std::byte* data, size_t bytes) {
  const auto* header = reinterpret_cast<const btf_header*>(data);
  if (bytes < sizeof *header || header->magic != BTF_MAGIC || header->hdr_len > bytes) return false;
  const size_t body = bytes - header->hdr_len;
  if (size_t{header->type_off} + header->type_len > body ||
      size_t{header->str_off} + header->str_len > body || header->str_len == 0)
    return false;
  const std::byte* at = data + header->hdr_len + header->type_off;
  const std::byte* end = at + header->type_len;
  names_ = {reinterpret_cast<const char*>(data + header->hdr_len + header->str_off),
            header->str_len};
  if (names_.back() != '\0') return false;
  types_.reserve(header->type_len / 32);
  if (!base_) types_.push_back(nullptr);
  while (static_cast<size_t>(end - at) >= sizeof(btf_type)) {
    const auto* type = reinterpret_cast<const btf_type*>(at);
    const size_t size = sizeof *type + tail_of(type);
    if (size > static_cast<size_t>(end - at)) return false;
    types_.push_back(type);
    at += size;
  }
  return at == end;
}

Result<KernelTypes> KernelTypes::open(const std::string& path, const KernelTypes* base) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat facts {};
  if (!file || fstat(file.get(), &facts) != 0) return unreadable(path, std::strerror(errno));
  const auto bytes = static_cast<size_t>(facts.st_size);
  KernelTypes types;
  types.base_ = base;
  const std::byte* data = nullptr;
  void* mapping = mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (mapping != MAP_FAILED) {
    types.mapping_ = {mapping, Unmap{.bytes = bytes}};
    data = static_cast<const std::byte*>(mapping);
  } else {
    types.copy_.resize(bytes);
    if (!read_all(file.get(), types.copy_)) return unreadable(path, "it cannot be read to its end");
    data = types.copy_.data();
  }
  if (!types.index(data, bytes)) return unreadable(path, kDamaged);
  return types;
}

Result<KernelTypes> KernelTypes::read() { return open(std::string(kFolder) + "vmlinux", nullptr); }

Result<KernelTypes> KernelTypes::read_module(const std::string& module, const KernelTypes& kernel) {
  return open(kFolder + module, &kernel);
}

Result<KernelTypes> KernelTypes::parse(std::vector<std::byte> image, const KernelTypes* kernel) {
  KernelTypes types;
  types.base_ = kernel;
  types.copy_ = std::move(image);
  if (!types.index(types.copy_.data(), types.copy_.size())) return unreadable("BTF", kDamaged);
  return types;
}

}  // namespace iohops
