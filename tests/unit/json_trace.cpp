#include "json_trace.hpp"

namespace iohops::test {

Request cached_read() {
  Request r;
  r.id = {4242, 17};
  r.tid = 4243;
  r.comm = "postgres";
  r.op = "pread64";
  r.fd = 5;
  r.file = 3;
  r.offset = 8192;
  r.requested = 4096;
  r.result = 4096;
  r.moves_data = true;
  r.start_ns = 1'000'000;
  r.duration_ns = 850;
  r.path = Path::kBuffered;
  r.cache = CacheOutcome::kHit;
  r.mode_switches = 2;
  Hop copy;
  copy.kind = HopKind::kCpuCopy;
  copy.from = Endpoint::kPageCache;
  copy.to = Endpoint::kUser;
  copy.bytes = 4096;
  copy.at_ns = 1'000'000;
  copy.end_ns = 1'000'850;
  r.hops = {copy};
  r.cpu_copies = 1;
  r.cpu_copy_bytes = 4096;
  return r;
}

Request missed_read() {
  Request r = cached_read();
  r.id.seq = 18;
  r.start_ns = 2'000'000;
  r.duration_ns = 84'000;
  r.cache = CacheOutcome::kMiss;
  r.miss_bytes = 4096;
  r.readahead_bytes = 126'976;
  r.readahead_of = {{{4242, 17}, 4096}};
  r.voluntary_switches = 1;
  r.off_cpu_ns = 80'000;
  Hop dma;
  dma.kind = HopKind::kDma;
  dma.from = Endpoint::kDevice;
  dma.to = Endpoint::kPageCache;
  dma.bytes = 131'072;
  dma.at_ns = 2'001'000;
  dma.end_ns = 2'080'000;
  dma.transfer = (uint64_t{1} << 63) + 1;
  dma.device = kVda;
  dma.cause = Cause::kRead;
  Hop wait;
  wait.kind = HopKind::kWait;
  wait.evidence = Evidence::kObserved;
  wait.reason = WaitReason::kDevice;
  wait.at_ns = 2'001'500;
  wait.end_ns = 2'081'500;
  r.hops = {dma, wait, r.hops[0]};
  r.dma_transfers = 1;
  r.dma_bytes = 131'072;
  return r;
}

Transfer missed_read_transfer() {
  Transfer t;
  t.id = (uint64_t{1} << 63) + 1;
  t.device = kVda;
  t.op = "read";
  t.flags = {"sync", "readahead"};
  t.sector = 2048;
  t.bytes = 131'072;
  t.bios = 1;
  t.queue_ns = 2'000'500;
  t.issue_ns = 2'001'000;
  t.complete_ns = 2'080'000;
  t.cause = Cause::kRead;
  t.owners = {{{4242, 18}, 131'072}};
  t.file = 3;
  t.offset = 8192;
  t.dma.dma = true;
  return t;
}

Header sample_header() {
  Header h;
  h.tool_version = "0.1.0";
  h.command_line = {"iohops", "record", "-o", "caf\xe9.jsonl"};
  h.host = "host";
  h.kernel = "6.18.0";
  h.machine = "x86_64";
  h.start_time = "2025-11-23T19:09:00.000000001Z";
  h.cpus = 2;
  h.scope = "pid";
  h.targets = {{4242, "postgres"}};
  h.devices = {{kVda, "vda", "virtio_blk", true, 512},
               {7U << 20 | 3, "loop3", "loop", false, 4096}};
  h.hooks = {"sys_enter", "sys_exit"};
  h.missing_hooks = {{"dma_map_sg", "not in this kernel", "DMA is derived"}};
  h.evidence = {{"cpu_copies", {Evidence::kDerived, "fentry is refused"}},
                {"mode_switches", {Evidence::kObserved, ""}}};
  return h;
}

Summary sample_summary() {
  Summary s;
  s.duration_ns = 12'400'000'000;
  s.requests = 2;
  s.bytes_requested = 8192;
  s.bytes_returned = 8192;
  s.mode_switches = 4;
  s.voluntary_switches = 1;
  s.cpu_copies = {2, 8192};
  s.cpu_copies_by_hop[2][0] = {2, 8192};
  s.cpu_copies_evidence = Evidence::kDerived;
  s.dma = {1, 131'072};
  s.dma_by_cause[0] = {1, 131'072};
  s.dma_by_hop[5][2] = {1, 131'072};
  s.dma_evidence = Evidence::kDerived;
  s.device_no_dma = {1, 512};
  s.unattributed_bytes = 4096;
  s.unattributed = {{{kVda, Cause::kJournal}, 4096}};
  s.mapped = {1, 4096};
  s.hit_bytes = s.miss_bytes = 4096;
  s.readahead_bytes = 126'976;
  s.readahead_unused_bytes = 1;
  s.writeback_bytes = 2;
  s.absorbed_bytes = 3;
  s.pending_bytes = 4;
  s.copies_in_doubt = 2;
  s.wait_ns = {1, 2, 3, 4, 5};
  s.on_cpu_ns = 4850;
  OpTotals totals;
  totals.add(cached_read());
  totals.add(missed_read());
  s.by_op = {{"pread64", totals}};
  s.by_file = {{3, totals}, {0, totals}};
  s.flows = {{{{4242, 17}, {4242, 18}, 0, Evidence::kInferred, 0, 0, 0, "read-write", "sendfile", 3, 4},
              2, 4096, 2, 1, 4}};
  s.syncs = {3, 9000, 8192, 4096, 2, {1, 2, 3, 4, 5}};
  s.advice = {{"relay", "A relay", "use sendfile", {{4242, 17}}, 1, 4096, 2}};
  s.lost = {{"ring_request", 7}, {"evicted", 1}};
  s.overhead = {123'456, 1.25, 190'377, 3.0000000000000004, 33'554'000};
  s.stop_reason = "interrupted";
  s.suspended_ns = 3'200'000'000;
  s.clock_step_ns = -3'600'000'000'000;
  return s;
}

void drive_sample(Sink& sink) {
  (void)sink.header(sample_header());
  (void)sink.process({4242, 17, 1, "post\x1bgres\xff", 0, std::nullopt});
  File file;
  file.id = 3;
  file.path = "/srv/\xffoddly\x1b[31m \"named\"\\\n";
  file.kind = FileKind::kRegular;
  file.dev = kVda | 1;
  file.inode = UINT64_MAX;
  file.generation = 9;
  file.filesystem = "ext4";
  (void)sink.file(file);
  (void)sink.request(cached_read());
  (void)sink.transfer(missed_read_transfer());
  (void)sink.request(missed_read());

  Request fault = cached_read();
  fault.id.seq = 19;
  fault.comm = "caf\xe9";
  fault.op = "page_fault";
  fault.submit = Submit::kPageFault;
  fault.fd = -1;
  fault.result = 0;
  fault.moves_data = false;
  fault.path = Path::kMapped;
  fault.hops[0].kind = HopKind::kMap;
  fault.major_fault = true;
  (void)sink.request(fault);

  Request killed = cached_read();
  killed.id.seq = 20;
  killed.file = 0;
  killed.offset.reset();
  killed.requested.reset();
  killed.result = -5;
  killed.hops.clear();
  killed.complete = false;
  killed.ended = "aborted";
  (void)sink.request(killed);

  Transfer flush;
  flush.id = 1;
  flush.device = 7U << 20 | 3;
  flush.op = "flush";
  flush.insert_ns = 5;
  flush.complete_ns = 6;
  flush.error = -5;
  flush.cause = Cause::kFlush;
  flush.parents = {{missed_read_transfer().id, 512, Evidence::kInferred}, {3, 512, Evidence::kObserved}};
  flush.copies = {{Endpoint::kPageCache, Endpoint::kKernel, 512, Evidence::kDerived},
                  {Endpoint::kUser, Endpoint::kPageCache, 1, Evidence::kDerived}};
  flush.carried_on = true;
  (void)sink.transfer(flush);
  (void)sink.effect({Cause::kWriteback,
                     {{{4242, 17}, 4096}, {{4242, 18}, 512}},
                     3,
                     8192,
                     4608,
                     missed_read_transfer().id,
                     9'000'000,
                     8'000'000,
                     "age",
                     true});
  (void)sink.flow({{4242, 17}, {4242, 19}, 4096, Evidence::kInferred, 2, 1, 4, "read-write", "", 3, 0, 8192});
  (void)sink.loss({9'500'000, "ring_request", 7});
  (void)sink.process({4242, 17, 1, "post\x1bgres\xff", 0, 9'900'000});
}

}  // namespace iohops::test
