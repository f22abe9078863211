#include "sinks/json_records.hpp"

#include <array>
#include <optional>
#include <utility>

#include "sinks/json_header.hpp"
#include "sinks/json_summary.hpp"

namespace iohops {
namespace {

Hop read_hop(Fields& fields) {
  Hop hop;
  hop.kind = fields.one_of("hop", parse_hop_kind);
  if (hop.kind == HopKind::kWait) {
    hop.reason = fields.one_of("reason", parse_wait_reason);
  } else {
    hop.from = fields.one_of("from", parse_endpoint);
    hop.to = fields.one_of("to", parse_endpoint);
    hop.bytes = fields.u64("bytes");
  }
  hop.at_ns = fields.u64("at_ns");
  hop.end_ns = fields.u64("end_ns");
  hop.transfer = fields.maybe_id("transfer");
  hop.device = fields.maybe_device("device");
  if (hop.kind == HopKind::kDma && fields.present("cause")) {
    hop.cause = parse_cause(fields.text("cause")).value_or(Cause::kUnknown);
  }
  hop.evidence = fields.one_of("evidence", parse_evidence);
  return hop;
}

template <size_t N>
uint32_t bit_named(const std::array<std::string_view, N>& names, std::string_view name) {
  for (size_t i = 0; i < N; ++i) {
    if (names[i] == name) return 1U << i;
  }
  return 0;
}

RingFacts read_ring(Fields& fields) {
  RingFacts ring;
  if (!fields.maybe_text("batch").empty()) ring.batch = fields.request_id("batch");
  fields.texts("run_by",
               [&](std::string_view name) { ring.run_by |= bit_named(kRunnerNames, name); });
  fields.texts("flags", [&](std::string_view name) {
    ring.flags |= bit_named(kRingFlagNames, name);
    ring.multishot = ring.multishot || name == "multishot";
  });
  return ring;
}

std::vector<Share> read_shares(Fields& fields, std::string_view key) {
  std::vector<Share> shares;
  fields.objects(key, [&](Fields& share) {
    const RequestId request = share.request_id("request");
    shares.push_back({request, share.u64("bytes")});
  });
  return shares;
}

}  // namespace

Status JsonRecords::header(Fields& fields) {
  if (has_header_) fields.fail("type", "is \"header\" for the second time");
  const Header header = read_header(fields);
  if (!fields.ok()) return {};
  has_header_ = true;
  return sink_.header(header);
}

Status JsonRecords::process(Fields& fields) {
  Process process;
  process.pid = fields.u32("pid");
  process.ns_pid = fields.u32("ns_pid");
  process.parent = static_cast<uint32_t>(fields.count("parent"));
  process.comm = fields.name("comm");
  process.start_ns = fields.u64("start_ns");
  process.exit_ns = fields.maybe_u64("exit_ns");
  return fields.ok() ? sink_.process(process) : Status();
}

Status JsonRecords::file(Fields& fields) {
  File file;
  file.id = fields.u32("file");
  if (file.id == 0) fields.fail("file", "is 0");
  file.path = fields.name("path");
  file.path_partial = fields.flag("path_partial");
  file.unlinked = fields.flag("unlinked");
  file.kind = parse_file_kind(fields.text("kind")).value_or(FileKind::kOther);
  file.dev = fields.device("dev");
  file.inode = fields.id("inode");
  file.generation = static_cast<uint32_t>(fields.count("generation"));
  file.filesystem = fields.name("filesystem");
  file.dax = fields.flag("dax");
  file.socket = fields.maybe_text("socket");
  return fields.ok() ? sink_.file(file) : Status();
}

Status JsonRecords::request(Fields& fields) {
  Request& r = request_;
  r.id = fields.request_id("id");
  if (fields.u32("pid") != r.id.pid) fields.fail("pid", "is not the one in the id");
  r.tid = fields.u32("tid");
  const std::string comm = fields.name("comm");
  r.comm = comm;
  op_ = fields.name("op");
  r.op = op_;
  r.submit = fields.one_of("submit", parse_submit);
  r.fd = fields.i32("fd");
  r.file = fields.file("file");
  r.offset = fields.maybe_u64("offset");
  r.requested = fields.maybe_u64("requested");
  r.result = fields.i64("result");
  r.moves_data = fields.flag("moves_data");
  r.start_ns = fields.u64("start_ns");
  r.duration_ns = fields.u64("duration_ns");
  r.path = fields.one_of("path", parse_path);
  r.cache = fields.one_of("cache", parse_cache_outcome);
  r.miss_bytes = fields.u64("miss_bytes");
  r.readahead_bytes = fields.u64("readahead_bytes");
  r.dirtied_bytes = fields.count("dirtied_bytes");
  r.mode_switches = fields.u32("mode_switches");
  Fields switches = fields.object("context_switches");
  r.voluntary_switches = switches.u32("voluntary");
  r.involuntary_switches = switches.u32("involuntary");
  r.off_cpu_ns = fields.u64("off_cpu_ns");
  r.hops.clear();
  fields.objects("hops", [&](Fields& hop) { r.hops.push_back(read_hop(hop)); });
  r.cpu_copies = fields.u32("cpu_copies");
  r.cpu_copy_bytes = fields.u64("cpu_copy_bytes");
  r.dma_transfers = fields.u32("dma_transfers");
  r.dma_bytes = fields.u64("dma_bytes");
  r.complete = fields.boolean("complete");
  (void)fields.maybe_text("error");  // the result says it
  const bool fault = r.submit == Submit::kPageFault;
  r.major_fault = fault && fields.flag("major_fault");
  r.write_fault = fault && fields.flag("write_fault");
  r.ended = fields.maybe_text("ended");
  r.ring.reset();
  if (fields.present("ring")) {
    Fields ring = fields.object("ring");
    r.ring = read_ring(ring);
  }
  r.readahead_of.clear();
  if (fields.present("readahead_of")) r.readahead_of = read_shares(fields, "readahead_of");
  r.to_fd = fields.present("to_fd") ? fields.i32("to_fd") : -1;
  r.to_file = fields.present("to_file") ? fields.file("to_file") : 0;
  r.to_offset = fields.maybe_u64("to_offset");
  r.moved = fields.maybe_u64("moved_bytes");
  is_request_ = fields.ok();
  return fields.ok() ? sink_.request(r) : Status();
}

namespace {

// What Request::alike promises of the numbers.
bool has_plain_numbers(const Request& r) {
  if (r.hops.empty()) return true;
  const Hop& hop = r.hops.front();
  return hop.kind == HopKind::kCpuCopy && hop.bytes == static_cast<uint64_t>(r.result) &&
         hop.at_ns == r.start_ns && hop.end_ns == r.start_ns + r.duration_ns &&
         r.cpu_copy_bytes == hop.bytes;
}

}  // namespace

const Request* JsonRecords::like_one_before(std::string_view line) {
  if (!has_header_ || has_summary_ || kept_ == 0) return nullptr;
  const std::optional<uint64_t> mark = JsonForm::mark(line);
  if (!mark) return nullptr;
  const size_t first = *mark % (Request::kAlike / kWays) * kWays;
  for (size_t i = first; i < first + kWays; ++i) {
    Known* known = known_[i].get();
    if (known == nullptr) break;
    if (known->mark != *mark || !known->form.read(line, known->request)) continue;
    if (i > first) std::swap(known_[i], known_[i - 1]);  // the frequent ones come to the front
    ++matched_;
    known->request.alike = has_plain_numbers(known->request) ? known->alike : 0;
    return &known->request;
  }
  return nullptr;
}

void JsonRecords::remember(std::string_view line) {
  if (!is_request_ || !request_.ended.empty()) return;
  // Where hardly a line is like another, keeping them is in vain.
  if (kept_ > Request::kAlike + matched_ / 8) return;
  const std::optional<uint64_t> mark = JsonForm::mark(line);
  auto known = std::make_unique<Known>();
  if (!mark || !known->form.cut(line, request_)) return;
  known->mark = *mark;
  known->op = op_;
  known->request = request_;
  known->request.op = known->op;
  known->request.comm = {};
  if (known_.empty()) known_.resize(Request::kAlike);
  const size_t first = *mark % (Request::kAlike / kWays) * kWays;
  size_t way = 0;
  while (way + 1 < kWays && known_[first + way] != nullptr) ++way;
  // Numbers that the forms in use do not share, wherever they move to.
  const size_t place =
      known_[first + way] != nullptr ? known_[first + way]->alike % Request::kAlike : first + way;
  known->alike = ++kept_ * Request::kAlike + place;
  known_[first + way] = std::move(known);
}

Status JsonRecords::transfer(Fields& fields) {
  Transfer transfer;
  transfer.id = fields.id("id");
  transfer.device = fields.device("device");
  const std::string op = fields.name("op");
  transfer.op = op;
  fields.texts("flags", [&](std::string_view flag) { transfer.flags.push_back(flag); });
  transfer.sector = fields.u64("sector");
  transfer.bytes = fields.u64("bytes");
  transfer.bios = fields.u32("bios");
  transfer.splits = fields.u32("splits");
  transfer.requeues = static_cast<uint32_t>(fields.count("requeues"));
  transfer.queue_ns = fields.maybe_u64("queue_ns");
  transfer.insert_ns = fields.maybe_u64("insert_ns");
  transfer.issue_ns = fields.maybe_u64("issue_ns");
  transfer.complete_ns = fields.u64("complete_ns");
  transfer.error = fields.i32("error");
  transfer.cause = parse_cause(fields.text("cause")).value_or(Cause::kUnknown);
  transfer.owners = read_shares(fields, "owners");
  transfer.unattributed_bytes = fields.u64("unattributed_bytes");
  transfer.file = fields.file("file");
  transfer.offset = fields.maybe_u64("offset");
  Fields dma = fields.object("dma");
  transfer.dma.evidence = dma.one_of("evidence", parse_evidence);
  transfer.dma.dma = dma.boolean("dma");
  transfer.dma.segments = dma.u32("segments");
  transfer.dma.mapped_bytes = dma.u64("mapped_bytes");
  transfer.dma.bounced_bytes = dma.u64("bounced_bytes");
  if (fields.present("queued_by"))
    fields.objects("queued_by", [&](Fields& queuer) {
      Queuer& by = transfer.queued_by.emplace_back();
      by.pid = queuer.u32("pid");
      by.tid = queuer.u32("tid");
      by.bytes = queuer.u64("bytes");
    });
  if (fields.present("parents"))
    fields.objects("parents", [&](Fields& parent) {
      const uint64_t id = parent.id("transfer");
      const uint64_t bytes = parent.u64("bytes");
      transfer.parents.push_back({id, bytes, parent.one_of("evidence", parse_evidence)});
    });
  if (fields.present("copies"))
    fields.objects("copies", [&](Fields& copy) {
      StageCopy& made = transfer.copies.emplace_back();
      made.from = copy.one_of("from", parse_endpoint);
      made.to = copy.one_of("to", parse_endpoint);
      made.bytes = copy.u64("bytes");
      made.evidence = copy.one_of("evidence", parse_evidence);
    });
  transfer.carried_on = fields.present("carried_on") && fields.boolean("carried_on");
  return fields.ok() ? sink_.transfer(transfer) : Status();
}

Status JsonRecords::effect(Fields& fields) {
  Effect effect;
  effect.cause = parse_cause(fields.text("cause")).value_or(Cause::kUnknown);
  effect.requests = read_shares(fields, "requests");
  effect.file = fields.file("file");
  effect.offset = fields.u64("offset");
  effect.bytes = fields.u64("bytes");
  effect.transfer = fields.maybe_id("transfer");
  effect.at_ns = fields.u64("at_ns");
  effect.delay_ns = fields.u64("delay_ns");
  const std::string reason = fields.name("reason");
  effect.reason = reason;
  effect.to_cache = fields.present("to_cache") && fields.boolean("to_cache");
  return fields.ok() ? sink_.effect(effect) : Status();
}

Status JsonRecords::flow(Fields& fields) {
  const Flow flow = read_flow(fields);
  return fields.ok() ? sink_.flow(flow) : Status();
}

Status JsonRecords::loss(Fields& fields) {
  Loss loss;
  loss.at_ns = fields.u64("at_ns");
  const std::string cause = fields.name("cause");
  loss.cause = cause;
  loss.count = fields.u64("count");
  return fields.ok() ? sink_.loss(loss) : Status();
}

Status JsonRecords::summary(Fields& fields) {
  const Summary summary = read_summary(fields);
  if (!fields.ok()) return {};
  has_summary_ = true;
  return sink_.summary(summary);
}

Status JsonRecords::hand_over(simdjson::dom::object record, std::string& error) {
  using Reader = Status (JsonRecords::*)(Fields&);
  static constexpr std::array<std::pair<std::string_view, Reader>, 9> kReaders{{
      {"request", &JsonRecords::request},
      {"transfer", &JsonRecords::transfer},
      {"effect", &JsonRecords::effect},
      {"file", &JsonRecords::file},
      {"process", &JsonRecords::process},
      {"flow", &JsonRecords::flow},
      {"loss", &JsonRecords::loss},
      {"header", &JsonRecords::header},
      {"summary", &JsonRecords::summary},
  }};
  is_request_ = false;
  std::string_view type;
  if (record["type"].get(type)) {
    error = "the record has no member \"type\" that is a string";
    return {};
  }
  if (!has_header_ && type != "header") {
    error = "the trace does not begin with its header";
    return {};
  }
  if (has_summary_) {
    error = "a record follows the summary";
    return {};
  }
  for (const auto& [name, read] : kReaders) {
    if (name != type) continue;
    Fields fields(record, name, error);
    return (this->*read)(fields);
  }
  return {};
}

}  // namespace iohops
