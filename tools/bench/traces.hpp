// Traces: wire records as the kernel side would write them for some known kinds of I/O, as many as
// wanted and without a kernel, so that the pipeline behind the rings can be measured by itself.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bpf/wire.h"
#include "core/decode.hpp"
#include "core/model/model.hpp"

namespace iohops::bench {

inline constexpr uint64_t kStart = 1'000'000'000;  // CLOCK_MONOTONIC at the start of the trace
inline constexpr uint32_t kDisk = 254u << 20;
inline constexpr uint64_t kPage = 4096;

enum class Kind {
  kHot,      // one thread reads 4 KiB that are cached, always of one file
  kThreads,  // 1000 threads of 64 processes do, each of four files
  kMixed,    // reads and writes of all sizes, of 64 files by 16 threads
  kFiles,    // each request reads another one of a million files
  kDirty,    // 4 KiB are written all over one file, and a flusher writes them later
  kCold,    // sequential reads, each fourth of them waits for the device and for what is read ahead
  kDirect,  // O_DIRECT reads of 4 KiB
  kRelay,   // 64 KiB are read and written on, from a file to a socket
  kRing,    // io_uring reads 4 KiB that are cached, 32 a call
};

struct Named {
  Kind kind;
  const char* name;
};
inline constexpr Named kKinds[] = {{Kind::kHot, "hot"},       {Kind::kThreads, "threads"},
                                   {Kind::kMixed, "mixed"},   {Kind::kFiles, "files"},
                                   {Kind::kDirty, "dirty"},   {Kind::kCold, "cold"},
                                   {Kind::kDirect, "direct"}, {Kind::kRelay, "relay"},
                                   {Kind::kRing, "ring"}};

inline Header header() {
  Header header;
  header.tool_version = "bench";
  header.kernel = "6.18";
  header.machine = "x86_64";
  header.start_time = "2026-01-01T00:00:00.000000000Z";
  header.scope = "all";
  header.devices = {{.id = kDisk,
                     .name = "vda",
                     .driver = "virtio_blk",
                     .dma = true,
                     .logical_block_size = 512,
                     .disk = 0}};
  header.hooks = {"block_bio_queue"};
  header.evidence["cpu_copies"] = {Evidence::kMeasured, ""};
  return header;
}

class Trace {
 public:
  explicit Trace(Kind kind) : kind_(kind) {}

  // The records of about `requests` more requests, in time order; valid until the next call.
  std::span<const std::byte> next(size_t requests) {
    words_.clear();
    for (const uint64_t until = requests_ + requests; requests_ < until;) step();
    return std::as_bytes(std::span(words_));
  }
  std::span<const std::byte> end() {
    words_.clear();
    wire_end record{};
    record.start_ns = kStart;
    record.bpf_ns = WIRE_UNKNOWN;
    put(record, WIRE_END);
    return std::as_bytes(std::span(words_));
  }
  uint64_t requests() const { return requests_; }

 private:
  static constexpr uint32_t kFirstPid = 4000, kFirstTid = 5000;
  static constexpr uint64_t kMillion = 1'000'000;

  struct Who {
    uint32_t tgid, tid;
  };

  uint64_t random(uint64_t below) {
    seed_ ^= seed_ << 13, seed_ ^= seed_ >> 7, seed_ ^= seed_ << 17;
    return (seed_ >> 11) % below;
  }

  template <typename T>
  void put(T& record, uint16_t kind, uint32_t cpu = 1, std::string_view tail = {}) {
    const size_t bytes = (sizeof record + tail.size() + 7) & ~size_t{7};
    wire_header header{
        .time_ns = now_ += 20, .kind = kind, .size = static_cast<uint16_t>(bytes), .cpu = cpu};
    std::memcpy(&record, &header, sizeof header);
    const size_t at = words_.size();
    words_.resize(at + bytes / 8);
    std::memcpy(words_.data() + at, &record, sizeof record);
    std::copy_n(tail.data(), tail.size(),
                reinterpret_cast<char*>(words_.data() + at) + sizeof record);
  }

  // Names come once, before their first use.
  Who thread(uint32_t number, uint32_t processes = 1) {
    const Who who{kFirstPid + number % processes, kFirstTid + number};
    if (named_threads_.size() <= number) named_threads_.resize(number + 1);
    if (named_threads_[number]) return who;
    named_threads_[number] = true;
    if (number < processes) {
      wire_process process{};
      process.tgid = process.ns_tgid = who.tgid;
      process.start_boot_ns = 1;
      std::memcpy(process.comm, "postgres", 8);
      put(process, WIRE_PROCESS);
    }
    wire_thread thread{};
    thread.tgid = who.tgid;
    thread.tid = thread.ns_tid = who.tid;
    std::memcpy(thread.comm, "postgres: write", 15);
    put(thread, WIRE_THREAD);
    return who;
  }

  uint32_t file(uint32_t number, bool socket = false) {
    const uint32_t alias = number + 1;
    if (named_files_.size() <= number) named_files_.resize(number + 1);
    if (named_files_[number]) return alias;
    named_files_[number] = true;
    std::string path = std::to_string(number) + '\0' + "base" + '\0' + "16.2" + '\0' +
                       "postgresql" + '\0' + "var" + '\0';
    if (socket) path.clear();
    wire_file record{};
    record.file = alias;
    record.dev = kDisk + 1;
    record.ino = inode(number);
    record.generation = 1;
    record.magic = socket ? 0x534f434b : 0xef53;
    record.rdev = socket ? WIRE_SOCKET(2, 1, 6) : 0;
    record.mode = static_cast<uint16_t>(socket ? 0140777 : 0100644);
    std::memcpy(record.fs, socket ? "sockfs" : "ext4", socket ? 6 : 4);
    record.path_bytes = static_cast<uint32_t>(path.size());
    put(record, WIRE_FILE, 1, path);
    return alias;
  }
  static uint64_t inode(uint32_t number) { return 100'000 + number; }

  wire_request begin(Who who, uint16_t op, uint32_t alias, uint64_t offset, uint64_t bytes) {
    wire_request request{};
    request.start_ns = now_ += 700;
    request.tgid = who.tgid;
    request.tid = who.tid;
    request.result = static_cast<int64_t>(bytes);
    request.offset = offset;
    request.requested = bytes;
    request.buffer = 0x7f00'0000'0000 + uint64_t{who.tid} * 65536;
    request.file = alias;
    request.fd = static_cast<int32_t>(alias % 1000) + 3;
    request.op = op;
    request.flags = WIRE_REQUEST_COPIED;
    request.segments = 1;
    ++requests_;
    return request;
  }
  void access(Who who, uint16_t op, uint32_t alias, uint64_t offset, uint64_t bytes) {
    wire_request request = begin(who, op, alias, offset, bytes);
    now_ += 480;
    put(request, WIRE_REQUEST);
  }

  static wire_owner owner_of(const wire_request& request) {
    return {request.tgid, request.tid, request.start_ns};
  }
  wire_transfer transfer(const wire_owner& owner, uint64_t ino, uint64_t page, uint64_t bytes,
                         uint32_t op) {
    wire_transfer t{};
    t.id = ++transfers_;
    t.sector = page * 8;
    t.bytes = bytes;
    t.first.queue_ns = now_ += 500;
    t.insert_ns = now_ += 100;
    t.issue_ns = now_ += 300;
    t.dev = kDisk;
    t.op_flags = op;
    t.bios = t.issues = 1;
    t.first.owner = owner;
    t.first.ino = ino;
    t.first.index = page;
    t.first.dev = kDisk + 1;
    t.first.bytes = static_cast<uint32_t>(bytes);
    t.first.op_flags = op;
    t.first.origin_dev = kDisk;
    return t;
  }
  // Off the CPU until the transfer is over, and then the request is, too.
  void wait_for(wire_request& request, wire_transfer& t, wire_request_detail detail) {
    const uint64_t asleep = now_ += 400;
    now_ += 40'000;
    put(t, WIRE_TRANSFER, 0);
    wire_wait wait{};
    wait.owner = owner_of(request);
    wait.begin_ns = asleep;
    wait.reason = WIRE_WAIT_DEVICE;
    now_ += 3000;
    put(wait, WIRE_WAIT);
    detail.request = request;
    detail.request.flags |= WIRE_REQUEST_DETAIL;
    detail.off_cpu_ns = now_ - asleep;
    detail.voluntary = detail.bios = detail.waits = 1;
    detail.bio_bytes = t.bytes;
    detail.to_offset = WIRE_UNKNOWN;
    now_ += 1500;
    put(detail, WIRE_REQUEST);
  }
  void cold() {
    const Who who = thread(0);
    const uint32_t alias = file(0);
    constexpr uint64_t kWindow = 64;  // pages: what is asked for, and 48 of readahead
    const uint64_t page = position_;
    position_ += kWindow;
    wire_request request = begin(who, WIRE_OP_READ, alias, page * kPage, 16 * kPage);
    wire_transfer t = transfer(owner_of(request), inode(0), page, kWindow * kPage, 0);
    wire_request_detail detail{};
    detail.added_bytes = kWindow * kPage;
    detail.copied_bytes = 16 * kPage;
    detail.page_runs = 1;
    detail.run = {inode(0), kDisk + 1, 4, page, kWindow, now_};
    wait_for(request, t, detail);
    for (uint64_t at = page + 16; at < page + kWindow; at += 16)
      access(who, WIRE_OP_READ, alias, at * kPage, 16 * kPage);
  }

  void direct() {
    const Who who = thread(0);
    const uint32_t alias = file(0);
    const uint64_t page = random(kMillion);
    wire_request request = begin(who, WIRE_OP_PREAD64, alias, page * kPage, kPage);
    request.flags = 0;
    request.open_flags = 0x4000;
    wire_transfer t = transfer(owner_of(request), 0, page, kPage, 0);
    t.first.flags = WIRE_BIO_USER;
    wire_request_detail detail{};
    detail.direct_bios = 1;
    detail.direct_bytes = kPage;
    wait_for(request, t, detail);
  }

  // Each 256 writes the flusher comes and writes 64 pages that lie together.
  void dirty() {
    const Who who = thread(0);
    const uint32_t alias = file(0);
    access(who, WIRE_OP_PWRITE64, alias, random(kMillion) * kPage, kPage);
    if (requests_ % 256 != 0) return;
    wire_transfer t = transfer({}, inode(0), random(kMillion), 64 * kPage, 1);
    now_ += 40'000;
    put(t, WIRE_TRANSFER, 0);
  }

  void mixed() {
    static constexpr uint64_t kSizes[] = {100, 512, 4096, 8192, 65536, 131072};
    const Who who = thread(static_cast<uint32_t>(random(16)), 4);
    const uint32_t alias = file(static_cast<uint32_t>(random(64)));
    const uint64_t bytes = kSizes[random(std::size(kSizes))];
    access(who, random(4) == 0 ? WIRE_OP_PWRITE64 : WIRE_OP_PREAD64, alias, random(1 << 30), bytes);
  }

  void relay() {
    const Who who = thread(0);
    const uint32_t from = file(0), to = file(1, true);
    access(who, WIRE_OP_READ, from, position_, 65536);
    access(who, WIRE_OP_WRITE, to, WIRE_UNKNOWN, 65536);
    position_ += 65536;
  }

  // As bpf/same_ring.h tells them: the first of all in full.
  void ring() {
    const Who who = thread(0);
    const uint32_t alias = file(0);
    wire_request call = begin(who, WIRE_OP_IO_URING_ENTER, 0, WIRE_UNKNOWN, 32);
    if (told_.told == 0) tell_ring_request(who, alias, call.start_ns);
    std::array<wire_request, 32> batch;
    for (size_t i = 0; i < batch.size(); ++i) {
      batch[i] = begin(who, WIRE_OP_URING + 22, alias, random(1024) * kPage, kPage);
      batch[i].buffer += i * kPage;
      now_ -= 400;
    }
    for (const wire_request& request : batch) {
      now_ += 130;
      const wire_same same{.time_ns = now_,
                           .kind = WIRE_SAME | int{WIRE_SAME_BATCH} | WIRE_SAME_BUFFER | 1,
                           .size = 40,
                           .context = WIRE_CONTEXT(who.tid, 1),
                           .duration_ns = static_cast<uint32_t>(now_ - request.start_ns),
                           .place = static_cast<uint32_t>(request.offset)};
      const size_t at = words_.size();
      words_.resize(at + 5);
      std::memcpy(words_.data() + at, &same, sizeof same);
      words_[at + 3] = request.buffer;
      words_[at + 4] = call.start_ns;
    }
    now_ += 300;
    put(call, WIRE_REQUEST);
  }
  void tell_ring_request(Who who, uint32_t alias, uint64_t batch_ns) {
    wire_request_detail detail{};
    detail.request = told_ = begin(who, WIRE_OP_URING + 22, alias, 0, kPage);
    detail.request.flags |= WIRE_REQUEST_DETAIL;
    detail.request.told = told_.told = WIRE_TOLD(1, 1);
    detail.to_offset = WIRE_UNKNOWN;
    detail.to_fd = -1;
    detail.batch_ns = batch_ns;
    detail.run_by = WIRE_RUN_SUBMITTER;
    put(detail, WIRE_REQUEST);
  }

  void step() {
    switch (kind_) {
      case Kind::kHot:
        return access(thread(0), WIRE_OP_PREAD64, file(0), random(1024) * kPage, kPage);
      case Kind::kThreads: {
        const auto number = static_cast<uint32_t>(random(1000));
        return access(thread(number, 64), WIRE_OP_PREAD64,
                      file(number * 4 + static_cast<uint32_t>(random(4))), random(kMillion) * kPage,
                      kPage);
      }
      case Kind::kFiles:
        return access(thread(0), WIRE_OP_READ, file(static_cast<uint32_t>(position_++ % kMillion)),
                      0, kPage);
      case Kind::kMixed:
        return mixed();
      case Kind::kDirty:
        return dirty();
      case Kind::kCold:
        return cold();
      case Kind::kDirect:
        return direct();
      case Kind::kRelay:
        return relay();
      case Kind::kRing:
        return ring();
    }
  }

  Kind kind_;
  std::vector<uint64_t> words_;
  std::vector<bool> named_threads_, named_files_;
  uint64_t now_ = kStart;
  uint64_t seed_ = 88172645463325252;
  uint64_t position_ = 0;
  wire_request told_{};
  uint64_t transfers_ = 0;
  uint64_t requests_ = 0;
};

}  // namespace iohops::bench
