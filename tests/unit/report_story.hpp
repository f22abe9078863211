// A trace of a database, told to a report.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "sinks/report.hpp"

namespace iohops {

inline constexpr uint32_t kVda = 254u << 20;
inline constexpr uint32_t kLoop = 7u << 20;

class StringWriter : public ByteWriter {
 public:
  Status write(std::string_view bytes) override {
    if (full) return Error{ErrorKind::kOutput, "no space left on device"};
    text += bytes;
    return {};
  }
  Status close() override { return {}; }
  std::string text;
  bool full = false;
};

// A database that reads through the cache, syncs its log, and a hostile file name.
class Report : public testing::Test {
 protected:
  void start(TextReportOptions options = {}) { report.emplace(out, options); }

  void header() {
    Header h;
    h.kernel = "6.18.44";
    h.scope = "pid";
    h.targets = {{4242, "postgres"}};
    h.devices = {{kVda, "vda", "virtio_blk", true, 512}, {kLoop, "loop0", "loop", false, 512}};
    h.evidence["cpu_copies"] = {Evidence::kDerived, "this kernel refuses fexit programs (EPERM)"};
    h.evidence["dma"] = {Evidence::kDerived,
                         "this disk uses no DMA API (virtio without IOMMU): bytes are taken from "
                         "the block request"};
    h.missing_hooks = {{"dma_map_phys", "not in this kernel", "segments of a DMA"}};
    ASSERT_TRUE(report->header(h));
  }

  void process(uint32_t pid, std::string comm) {
    Process p;
    p.pid = pid;
    p.comm = std::move(comm);
    ASSERT_TRUE(report->process(p));
  }

  void file(uint32_t id, std::string path) {
    File f;
    f.id = id;
    f.path = std::move(path);
    f.kind = FileKind::kRegular;
    f.filesystem = "ext4";
    ASSERT_TRUE(report->file(f));
  }

  Request request(uint64_t seq, std::string_view op, uint32_t file, int64_t result, uint64_t ns) {
    Request r;
    r.id = {4242, seq};
    r.tid = 4242;
    r.comm = "postgres";
    r.op = op;
    r.file = file;
    r.moves_data = op == "pread64" || op == "pwrite64";
    if (r.moves_data) r.requested = static_cast<uint64_t>(result < 0 ? 8192 : result);
    r.result = result;
    r.start_ns = seq * 1'000'000;
    r.duration_ns = ns;
    r.mode_switches = 2;
    return r;
  }

  void copy(Request& r, Endpoint from, Endpoint to) {
    Hop hop;
    hop.from = from;
    hop.to = to;
    hop.bytes = r.returned_bytes();
    r.hops.push_back(hop);
    ++r.cpu_copies;
    r.cpu_copy_bytes += hop.bytes;
  }

  void wait(Request& r, WaitReason reason, uint64_t ns) {
    Hop hop;
    hop.kind = HopKind::kWait;
    hop.reason = reason;
    hop.at_ns = r.start_ns;
    hop.end_ns = r.start_ns + ns;
    r.hops.push_back(hop);
    r.off_cpu_ns += ns;
    ++r.voluntary_switches;
  }

  void dma(Request& r, Endpoint from, Endpoint to, uint64_t bytes, Cause cause) {
    Hop hop;
    hop.kind = HopKind::kDma;
    hop.from = from;
    hop.to = to;
    hop.bytes = bytes;
    hop.cause = cause;
    r.hops.push_back(hop);
    ++r.dma_transfers;
    r.dma_bytes += bytes;
  }

  void transfer(std::string_view op, Cause cause, uint64_t bytes, uint64_t unattributed,
                uint32_t device = kVda) {
    Transfer t;
    t.id = ++transfers;
    t.device = device;
    t.op = op;
    t.bytes = bytes;
    t.cause = cause;
    t.queue_ns = transfers * 1000;
    t.issue_ns = transfers * 1000 + 500;
    t.complete_ns = transfers * 1000 + 90'500;
    t.dma.dma = device == kVda;
    t.owners = {{{4242, 1}, bytes - unattributed}};
    t.unattributed_bytes = unattributed;
    ASSERT_TRUE(report->transfer(t));
  }

  void database(uint64_t reads = 200) {
    header();
    process(4242, "postgres");
    file(1, "/var/lib/postgresql/15/main/base/16384/2619");
    file(2, "/var/lib/postgresql/15/main/pg_wal/000000010000000000000003");
    file(3, "/tmp/\x1b[2Jevil");
    for (uint64_t seq = 1; seq <= reads; ++seq) {
      const bool miss = seq % 20 == 0;
      Request r = request(seq, "pread64", 1, 8192, miss ? 91'000 : 3'100);
      copy(r, Endpoint::kPageCache, Endpoint::kUser);
      if (miss) {
        r.miss_bytes = 8192;
        r.readahead_bytes = 8192;
        r.cache = CacheOutcome::kMiss;
        dma(r, Endpoint::kDevice, Endpoint::kPageCache, 16384, Cause::kRead);
        wait(r, WaitReason::kDevice, 80'000);
        transfer("read", Cause::kRead, 16384, 0);
      } else {
        r.cache = CacheOutcome::kHit;
      }
      ASSERT_TRUE(report->request(r));
    }
    for (uint64_t seq = 1001; seq <= 1010; ++seq) {
      Request write = request(seq, "pwrite64", 2, 16384, 9'000);
      copy(write, Endpoint::kUser, Endpoint::kPageCache);
      ASSERT_TRUE(report->request(write));
      Request sync = request(seq + 100, "fdatasync", 2, 0, 1'900'000 + seq * 100);
      dma(sync, Endpoint::kPageCache, Endpoint::kDevice, 16384, Cause::kFsync);
      wait(sync, WaitReason::kDevice, 1'800'000);
      ASSERT_TRUE(report->request(sync));
      transfer("write", Cause::kFsync, 16384, 0);
    }
    Request failed = request(3000, "pread64", 3, -5, 2'000);
    ASSERT_TRUE(report->request(failed));
    transfer("write", Cause::kWriteback, 65536, 0);
    Effect effect;
    effect.cause = Cause::kWriteback;
    effect.file = 1;
    effect.bytes = 65536;
    effect.requests = {{{4242, 1}, 65536}};
    ASSERT_TRUE(report->effect(effect));
  }

  Summary known() {
    Summary s;
    s.duration_ns = 12'400'000'000;
    s.overhead.events = 4242;
    s.overhead.bpf_ns = 12'000'000;
    s.overhead.cpu_percent = 0.8;
    s.overhead.ring_peak_percent = 3;
    return s;
  }

  const std::string& finish(bool truncated = false) {
    EXPECT_TRUE(report->finish(truncated));
    return out.text;
  }

  bool says(std::string_view what) const { return out.text.find(what) != std::string::npos; }

  StringWriter out;
  std::optional<TextReport> report;
  uint64_t transfers = 0;
};

}  // namespace iohops
