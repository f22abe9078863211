// The rules of storage.hpp. Modes as in sys/stat.h, magics as in linux/magic.h, spelled out here so
// that a trace of another machine is read by the rules of the kernel, not of this host's headers.
#include "core/rebuild/storage.hpp"

#include <algorithm>

namespace iohops {
namespace {

constexpr uint16_t kTypeMask = 0170000;
constexpr uint16_t kSocketType = 0140000;
constexpr uint16_t kSymlinkType = 0120000;
constexpr uint16_t kRegularType = 0100000;
constexpr uint16_t kBlockType = 0060000;
constexpr uint16_t kDirectoryType = 0040000;
constexpr uint16_t kCharType = 0020000;
constexpr uint16_t kFifoType = 0010000;

// File systems whose files live in the kernel's own memory: no block device below them. tmpfs pages
// are page cache to the kernel, but nothing ever moves them to a device (swap aside).
constexpr uint32_t kMemoryMagics[] = {
    0x01021994,  // tmpfs, devtmpfs, memfd
    0x858458f6,  // ramfs
    0x958458f6,  // hugetlbfs
    0x00009fa0,  // proc
    0x62656572,  // sysfs
    0x0027e0eb,  // cgroup
    0x63677270,  // cgroup2
    0x64626720,  // debugfs
    0x74726163,  // tracefs
    0x73636673,  // securityfs
    0xcafe4a11,  // bpf
    0x6165676c,  // pstore
    0x62656570,  // configfs
    0xde5e81e4,  // efivarfs
    0xf97cff8c,  // selinuxfs
    0x65735543,  // fusectl
    0x00001cd1,  // devpts
    0x19800202,  // mqueue
    0x6e736673,  // nsfs
    0x50494446,  // pidfs
    0x42494e4d,  // binfmt_misc
    0x07655821,  // resctrl
    0x5345434d,  // secretmem
    0x444d4142,  // dma-buf
};

constexpr uint32_t kNetworkMagics[] = {
    0x00006969,  // nfs
    0xff534d42,  // cifs
    0xfe534d42,  // smb2
    0x01021997,  // 9p
    0x00c36400,  // ceph
    0x5346414f,  // openafs
    0x6b414653,  // kafs
};

constexpr uint32_t kFuseMagic = 0x65735546;  // virtiofs too
constexpr uint32_t kOverlayMagic = 0x794c7630;
constexpr uint32_t kBtrfsMagic = 0x9123683e;
constexpr uint32_t kExt4Magic = 0xef53;
constexpr uint32_t kAnonInodeMagic = 0x09041934;

template <size_t N>
bool contains(const uint32_t (&magics)[N], uint32_t magic) {
  return std::find(std::begin(magics), std::end(magics), magic) != std::end(magics);
}

}  // namespace

// drivers/char/mem.c: /dev/null and /dev/zero drop what is written without looking at it; a read of
// /dev/zero or /dev/full fills the buffer, which is a CPU write but copies nothing.
bool is_void_device(uint32_t rdev) {
  constexpr uint32_t kMem = 1u << 20;
  return rdev == (kMem | 3) || rdev == (kMem | 5) || rdev == (kMem | 7);
}

bool is_overlay(uint32_t magic) { return magic == kOverlayMagic; }
bool is_anon_inode(uint32_t magic) { return magic == kAnonInodeMagic; }

Storage storage_of(uint16_t mode, uint32_t magic, bool dax, uint32_t rdev) {
  switch (mode & kTypeMask) {
    case kRegularType:
      break;
    case kBlockType:
      return Storage::kPageCache;
    case kSocketType:
      return Storage::kSocket;
    case kFifoType:
      return Storage::kPipe;
    case kDirectoryType:
    case kSymlinkType:
      return Storage::kNone;
    case kCharType:
      return is_void_device(rdev) ? Storage::kNone : Storage::kMemory;
    default:
      return Storage::kMemory;  // anonymous inodes have no type
  }
  if (contains(kMemoryMagics, magic) || is_anon_inode(magic)) return Storage::kMemory;
  if (contains(kNetworkMagics, magic)) return Storage::kNetwork;
  if (magic == kFuseMagic) return Storage::kFuse;
  return dax ? Storage::kDax : Storage::kPageCache;
}

FileKind file_kind(uint16_t mode, uint32_t magic) {
  switch (mode & kTypeMask) {
    case kRegularType:
      return storage_of(mode, magic, false, 0) == Storage::kMemory ? FileKind::kMemory
                                                                : FileKind::kRegular;
    case kBlockType:
      return FileKind::kBlock;
    case kCharType:
      return FileKind::kChar;
    case kSocketType:
      return FileKind::kSocket;
    case kFifoType:
      return FileKind::kPipe;
    case kDirectoryType:
      return FileKind::kDirectory;
    case kSymlinkType:
      return FileKind::kSymlink;
    default:
      return FileKind::kOther;
  }
}

std::string socket_name(uint32_t rdev) {
  constexpr std::string_view kTypes[] = {"", "_stream", "_dgram", "_raw", "", "_seqpacket"};
  const SocketFacts socket(rdev);
  const std::string type(socket.type < std::size(kTypes) ? kTypes[socket.type] : "");
  if (socket.is_inet()) {
    const std::string version = socket.family == 10 ? "6" : "";
    if (socket.is_tcp()) return "tcp" + version;
    if (socket.is_udp()) return "udp" + version;
    if (socket.is_mptcp()) return "mptcp" + version;
    return "inet" + version + type;
  }
  switch (socket.family) {
    case 0:
      return "";
    case 1:
      return "unix" + type;
    case 16:
      return "netlink";
    case 17:
      return "packet";
    case 38:
      return "alg";
    case 40:
      return "vsock" + type;
    case 44:
      return "xdp";
    default:
      return "family_" + std::to_string(socket.family) + type;
  }
}

bool is_shared_memory(uint32_t magic) { return magic == 0x01021994 || magic == 0x858458f6; }

bool direct_read_was_a_hole(uint32_t magic, bool falls_back) {
  if (magic == 0x58465342) return true;    // xfs: only writes fall back (xfs_file_dio_write)
  return magic == kExt4Magic && !falls_back;
}

bool is_never_direct(uint32_t magic, bool falls_back) { return magic == kExt4Magic && falls_back; }

bool can_share_extents(uint32_t magic) {
  constexpr uint32_t kMagics[] = {
      kBtrfsMagic,
      0x58465342,  // xfs
      0x7461636f,  // ocfs2
      0xca451a4e,  // bcachefs
  };
  return contains(kMagics, magic) || contains(kNetworkMagics, magic) || magic == kFuseMagic;  // the server may
}

bool is_btrfs(uint32_t magic) { return magic == kBtrfsMagic; }

CopyRule copy_rule(Storage storage, bool write, bool direct) {
  const auto between = [write](Endpoint store, Evidence evidence) {
    return write ? CopyRule{Endpoint::kUser, store, evidence}
                 : CopyRule{store, Endpoint::kUser, evidence};
  };
  switch (storage) {
    case Storage::kPageCache:
    case Storage::kNetwork:
      return direct ? CopyRule{} : between(Endpoint::kPageCache, Evidence::kDerived);
    case Storage::kFuse:
      return direct ? CopyRule{} : between(Endpoint::kPageCache, Evidence::kInferred);
    case Storage::kMemory:
    case Storage::kDax:
      return between(Endpoint::kKernel, Evidence::kDerived);
    case Storage::kSocket:
      return between(Endpoint::kSocket, Evidence::kDerived);
    case Storage::kPipe:
      return between(Endpoint::kPipe, Evidence::kDerived);
    case Storage::kNone:
      break;
  }
  return {};
}

uint32_t o_direct(std::string_view machine) {
  if (machine.starts_with("aarch64") || machine.starts_with("arm")) return 0x10000;
  if (machine.starts_with("ppc")) return 0x20000;
  return 0x4000;
}

}  // namespace iohops
