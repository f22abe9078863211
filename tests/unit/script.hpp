// Story: a DSL for event scripts. What a test says in terms of calls, bios and completions becomes
// the wire records that the kernel side would write, and the ledger that the rebuild makes of them.
// Sees bpf/wire.h and the public rebuild; no kernel.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/decode.hpp"
#include "core/rebuild/rebuilder.hpp"
#include "ledger.hpp"

namespace iohops::test {

inline constexpr uint64_t kPage = 4096;
inline constexpr uint32_t kDisk = 254u << 20;      // 254:0, moves data by DMA
inline constexpr uint32_t kLoop = 7u << 20;        // 7:0, does not
inline constexpr uint32_t kStart = 1'000'000'000;  // CLOCK_MONOTONIC at the start of the trace
inline constexpr uint32_t kODirect = 0x4000;
inline constexpr uint32_t kODsync = 0x1000;

struct FileSpec {
  uint16_t mode = 0100644;
  uint32_t magic = 0xef53;  // ext4
  const char* fs = "ext4";
  uint32_t dev = kDisk + 1;
  uint64_t ino = 0;  // 0: the next free one
  uint32_t generation = 1;
  uint32_t rdev = 0;
  uint16_t flags = 0;
  uint32_t below = 0;  // overlayfs: magic of the file system with the data
};
inline constexpr FileSpec kTmpfs{0100644, 0x01021994, "tmpfs", 23};
inline constexpr FileSpec kSocket{0140777, 0x534f434b, "sockfs", 8};
inline constexpr FileSpec kTcp{0140777, 0x534f434b, "sockfs", 8, 0, 1, WIRE_SOCKET(2, 1, 6)};
inline constexpr FileSpec kUdp{0140777, 0x534f434b, "sockfs", 8, 0, 1, WIRE_SOCKET(2, 2, 17)};
inline constexpr FileSpec kXfs{0100644, 0x58465342, "xfs"};
inline constexpr FileSpec kBtrfs{0100644, 0x9123683e, "btrfs"};
inline constexpr FileSpec kProc{0100444, 0x9fa0, "proc", 22};
inline constexpr FileSpec kDevNull{0020666, 0x01021994, "devtmpfs", 6, 0, 1, 1u << 20 | 3};
inline constexpr FileSpec kDevRandom{0020666, 0x01021994, "devtmpfs", 6, 0, 1, 1u << 20 | 9};
inline constexpr FileSpec kPipe{0010600, 0x50495045, "pipefs", 14};
inline constexpr FileSpec kOverlay{0100644, 0x794c7630, "overlay", 40};
inline constexpr FileSpec kOverlayOnTmpfs{0100644, 0x794c7630, "overlay", 40, 0, 1, 23, 0, 0x01021994};
inline constexpr FileSpec kHugetlbfs{0100644, 0x958458f6, "hugetlbfs", 15};

struct NamedFile {
  uint32_t alias = 0;
  uint64_t ino = 0;
  uint32_t dev = 0;
};

class Story;

// A bio between its queueing and its completion.
struct Bio {
  wire_bio_part part{};
  wire_carried carried{};

  // Queued by a device above to do a part of `transfer`, from byte `at` of it.
  Bio& carries(uint64_t transfer, uint32_t at = 0, uint32_t flags = 0) {
    carried = {transfer, at, flags};
    return *this;
  }
};

// A request while it runs. Every step takes a microsecond.
class Call {
 public:
  Call& at(uint64_t offset, uint64_t bytes);
  Call& flags(uint32_t open_flags);
  Call& on_thread(uint32_t tid);
  Call& adds(uint64_t first_page, uint64_t pages);  // to the page cache of its file
  Call& adds_of(const NamedFile& file, uint64_t first_page, uint64_t pages);
  Call& in(uint64_t buffer);  // user address of its data
  Call& dirties(uint64_t bytes);
  Call& maps(uint64_t first_page, uint64_t last_page);  // a fault: what it considered around its own
  Call& copied(uint64_t bytes);  // as the hooks on copy functions report
  Call& copy_missed();           // one of them was seen at one end only
  Call& to(const NamedFile& file, uint64_t offset = WIRE_UNKNOWN);  // sendfile and its kin
  Call& called_with(uint32_t call_flags);
  Call& moves(uint64_t bytes);  // what a result that counts messages does not say
  Call& copied_in_user_space(uint64_t bytes);
  // Submitted to a ring by the call `batch` (nobody: by a polling thread), worked on by `run_by`.
  Call& submitted_by(const wire_owner& batch, uint32_t run_by, uint32_t run_flags = 0);
  Call& waits(wire_wait_reason reason, uint64_t ns);
  Bio reads(uint64_t first_page, uint64_t pages, uint32_t op_flags = 0);
  Bio writes(uint64_t first_page, uint64_t pages, uint32_t op_flags = 0);
  Bio reads_directly(uint64_t bytes);
  Bio writes_directly(uint64_t bytes);
  Bio flushes();
  Bio queues(wire_bio_part part);  // anything else; owner, time and size are filled in
  // Its record is written. Returns its time.
  uint64_t returns(int64_t result);
  uint64_t ends(int64_t result, uint16_t flags);
  const wire_owner& owner() const { return owner_; }

 private:
  friend class Story;
  Call(Story& story, uint16_t op, const NamedFile& file);
  Bio queue_pages(uint64_t first_page, uint64_t pages, uint32_t op_flags);

  Story* story_;
  NamedFile file_;
  wire_owner owner_{};
  wire_request_detail record_{};
  bool in_user_space_ = false;
};

class Story {
 public:
  explicit Story(RebuildContext context = default_context());
  static RebuildContext default_context();

  uint64_t now() const { return now_; }
  void pass(uint64_t ns) { now_ += ns; }

  NamedFile file(std::string_view path, FileSpec spec = {});
  void process(uint32_t pid, std::string_view comm, uint32_t event = WIRE_PROCESS_SEEN);
  void process_exits(uint32_t pid);
  void thread(uint32_t tid, std::string_view comm, uint32_t pid = kApp);
  Call call(uint16_t op, const NamedFile& file);
  // A bio that no request of the trace queued.
  Bio flusher_writes(const NamedFile& file, uint64_t first_page, uint64_t pages);
  // Divides a bio as block_split does: the front part is returned.
  Bio split(Bio& bio, uint64_t front_pages);

  struct How {
    uint32_t dev = kDisk;
    uint32_t issues = 1;
    uint32_t dma_source = 0;
    uint64_t bounced_bytes = 0;
    uint64_t bounce_bytes_in = 0;  // measured, with the next
    uint64_t bounce_bytes_out = 0;
    int32_t error = 0;
    uint32_t transfer_flags = 0;
    uint32_t op_flags = 0;        // added to those of the first bio
    bool drops_preflush = false;  // as the kernel does for a bio that is an empty flush
    uint64_t id = 0;              // as next_id() gave it; 0: the next
    uint64_t sector = 0;          // 0: any
  };
  // The id of a transfer that is to complete, for those that carry it on.
  uint64_t next_id() { return next_transfer_++; }
  // The bytes of loop device `dev` lie in the file, from `offset` on.
  void loop_lies_in(const NamedFile& file, uint64_t offset, bool direct, uint32_t dev = kLoop);
  // A bio that a driver's thread queues for a device above: its pages belong to no file that is known.
  Bio driver_bio(uint64_t bytes, uint32_t op_flags, uint32_t flags = WIRE_BIO_NO_MAPPING);
  // One block request with these bios completes; its id is returned.
  uint64_t completes(const std::vector<Bio>& bios, How how);
  uint64_t completes(const std::vector<Bio>& bios) { return completes(bios, How{}); }

  void loses(wire_loss cause, uint64_t count);
  void ends();  // WIRE_END
  void raw(const std::vector<uint64_t>& words);

  // The ledger once everything is told; fails the test if an invariant does not hold.
  Ledger& told(bool truncated = false);
  // The ledger so far.
  Ledger& so_far() { return *ledger_; }
  const RebuildCounters& counters() const { return rebuilder_->counters(); }
  const std::vector<std::vector<uint64_t>>& records() const { return records_; }

  template <typename T>
  void emit(T record, uint16_t kind, uint64_t time_ns = 0) {
    record.header = {time_ns != 0 ? time_ns : now_, kind, sizeof(T), 0};
    feed(bytes_of(record));
  }

 private:
  friend class Call;
  void feed(Record record);

  uint64_t now_ = kStart + 1000;
  uint32_t next_alias_ = 1;
  uint64_t next_ino_ = 1000;
  uint64_t next_transfer_ = 1;
  std::unique_ptr<Ledger> ledger_;
  std::unique_ptr<Rebuilder> rebuilder_;
  std::vector<std::vector<uint64_t>> records_;
};

}  // namespace iohops::test
