// Where the bytes of a file live, by inode mode and super block magic, and so which copy a read or
// a write of it makes. Pure rules: the rebuild and top share them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/model/model.hpp"

namespace iohops {

enum class Storage : uint8_t {
  kNone,       // nothing to copy: a directory, a symlink, /dev/null, /dev/zero, no file
  kPageCache,  // a file system on block devices, or a block device
  kNetwork,    // page cache, filled over the network (NFS, CIFS, 9p, Ceph)
  kFuse,       // page cache, filled by a process; FOPEN_DIRECT_IO goes past it, invisibly to us
  kMemory,     // tmpfs, proc, character devices, eventfd, ...: the kernel's own memory
  kDax,        // persistent memory, mapped: no page cache, no DMA
  kSocket,
  kPipe,
};

// `rdev`: kernel dev_t of a device file.
Storage storage_of(uint16_t mode, uint32_t magic, bool dax, uint32_t rdev);
FileKind file_kind(uint16_t mode, uint32_t magic);
bool is_void_device(uint32_t rdev);  // /dev/null, /dev/zero, /dev/full: no byte is copied
bool is_overlay(uint32_t magic);
bool is_anon_inode(uint32_t magic);

// What the record of a socket says: families, types and protocols as in sys/socket.h.
struct SocketFacts {
  uint8_t family = 0;
  uint8_t type = 0;
  uint16_t protocol = 0;
  explicit SocketFacts(uint32_t rdev)
      : family(static_cast<uint8_t>(rdev >> 24)),
        type(static_cast<uint8_t>(rdev >> 16)),
        protocol(static_cast<uint16_t>(rdev)) {}
  bool is_inet() const { return family == 2 || family == 10; }
  bool is_unix() const { return family == 1; }
  bool is_stream() const { return type == 1; }
  bool is_unix_stream() const { return is_unix() && is_stream(); }
  bool is_tcp() const { return is_inet() && protocol == 6; }
  bool is_udp() const { return is_inet() && protocol == 17; }
  bool is_mptcp() const { return is_inet() && protocol == 262; }
};
std::string socket_name(uint32_t rdev);  // "tcp", "udp", "unix_stream", ...; empty: not known
bool is_shared_memory(uint32_t magic);   // tmpfs, ramfs: its pages can be handed on like page cache
// A direct read for which nobody saw the page cache used met a hole, or what is allocated and not written: zeros, not
// copied. `falls_back`: see struct FileState.
bool direct_read_was_a_hole(uint32_t magic, bool falls_back);
// ext4 falls back with the same files always (ext4_should_use_dio: journalled data, ...).
bool is_never_direct(uint32_t magic, bool falls_back);
bool can_share_extents(uint32_t magic);  // copy_file_range may copy nothing (reflink)
bool is_btrfs(uint32_t magic);

// The CPU copy of a read (`write` false) or write of `storage`; nothing is copied if from == to.
struct CopyRule {
  Endpoint from = Endpoint::kKernel;
  Endpoint to = Endpoint::kKernel;
  Evidence evidence = Evidence::kDerived;
  bool copies() const { return from != to; }
};
// `direct`: the file is open with O_DIRECT and the request did go past the page cache.
CopyRule copy_rule(Storage storage, bool write, bool direct);

// O_DIRECT as the ABI of `machine` (uname) has it: arm and powerpc have their own value.
uint32_t o_direct(std::string_view machine);

}  // namespace iohops
