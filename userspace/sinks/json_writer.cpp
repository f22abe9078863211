#include "sinks/json_writer.hpp"

#include <fmt/compile.h>
#include <fmt/format.h>

#include <cstring>
#include <utility>

#include "core/summarizer.hpp"
#include "sinks/json_header.hpp"
#include "sinks/json_summary.hpp"
#include "sinks/json_text.hpp"

namespace iohops {

// Bytes on their way to the ByteWriter. After an error it swallows everything: the error is told at
// the end of the record, so that the formatting need not look.
class JsonWriter::Buffer {
 public:
  explicit Buffer(ByteWriter& out) : out_(out), bytes_(new char[kBytes]), at_(bytes_.get()) {}

  // Room for n bytes (n < kBytes), to be formatted into and handed back with done().
  char* room(size_t n) {
    if (static_cast<size_t>(bytes_.get() + kBytes - at_) < n) drain();
    return at_;
  }
  void done(char* end) { at_ = end; }

  void put(std::string_view text) {
    if (text.size() > kBytes / 2) {
      drain();
      if (status_) status_ = out_.write(text);
      return;
    }
    char* at = room(text.size());
    std::memcpy(at, text.data(), text.size());
    done(at + text.size());
  }

  void drain() {
    const std::string_view pending(bytes_.get(), static_cast<size_t>(at_ - bytes_.get()));
    if (status_ && !pending.empty()) status_ = out_.write(pending);
    if (status_) requests_written = requests_ended;
    at_ = bytes_.get();
  }

  Status flush() {
    drain();
    if (status_) status_ = out_.flush();
    return status_;
  }

  const Status& status() const { return status_; }

  uint64_t requests_ended = 0;
  uint64_t requests_written = 0;

 private:
  static constexpr size_t kBytes = 256 * 1024;

  ByteWriter& out_;
  std::unique_ptr<char[]> bytes_;
  char* at_;
  Status status_;
};

namespace {

// More than the fixed members and numbers of any record or hop take; names come on top.
constexpr size_t kRecordRoom = 1024;
constexpr size_t kEscapedNames = 4096;

char* literal(char* at, std::string_view text) {
  std::memcpy(at, text.data(), text.size());
  return at + text.size();
}

char* number_or_null(char* at, const std::optional<uint64_t>& value) {
  return value ? fmt::format_to(at, FMT_COMPILE("{}"), *value) : literal(at, "null");
}

char* file_or_null(char* at, uint32_t file) {
  return file != 0 ? fmt::format_to(at, FMT_COMPILE("{}"), file) : literal(at, "null");
}

// Ids of transfers hold a CPU number in their top bits: beyond 2^53, so a string.
char* transfer_or_null(char* at, uint64_t transfer) {
  return transfer != 0 ? fmt::format_to(at, FMT_COMPILE(R"("{}")"), transfer) : literal(at, "null");
}

char* device(char* at, uint32_t id) {
  return fmt::format_to(at, FMT_COMPILE(R"("{}:{}")"), id >> 20, id & 0xfffffU);
}

char* boolean(char* at, bool value) { return literal(at, value ? "true" : "false"); }

}  // namespace

JsonWriter::JsonWriter(ByteWriter& out, Form form)
    : form_(form), buffer_(std::make_unique<Buffer>(out)) {}
JsonWriter::~JsonWriter() = default;

uint64_t JsonWriter::requests_written() const { return buffer_->requests_written; }

JsonWriter::Buffer& JsonWriter::begin_record() {
  if (form_ == Form::kDocument) buffer_->put(first_record_ ? "\n" : ",\n");
  first_record_ = false;
  return *buffer_;
}

Status JsonWriter::end_record() {
  if (form_ == Form::kLines) buffer_->put("\n");
  return buffer_->status();
}

void JsonWriter::text(std::string_view raw) {
  if (is_plain(raw)) {
    buffer_->put("\"");
    buffer_->put(raw);
    buffer_->put("\"");
    return;
  }
  if (escaped_.size() >= kEscapedNames) escaped_.clear();
  auto [entry, is_new] = escaped_.try_emplace(std::string(raw));
  if (is_new) entry->second = json_quote(raw);
  buffer_->put(entry->second);
}

void JsonWriter::name(std::string_view key, std::string_view raw) {
  const auto put_key = [&](std::string_view suffix) {
    char* at = buffer_->room(kRecordRoom);
    buffer_->done(fmt::format_to(at, FMT_COMPILE(R"(,"{}{}":)"), key, suffix));
  };
  put_key("");
  text(raw);
  if (is_plain(raw) || is_utf8(raw)) return;
  put_key("_b64");
  text(base64(raw));
}

Status JsonWriter::header(const Header& header) {
  if (form_ == Form::kLines) {
    buffer_->put(header_json(header));
    return end_record();
  }
  buffer_->put("{\"header\":");
  buffer_->put(header_json(header));
  buffer_->put(",\n\"records\":[");
  return buffer_->status();
}

Status JsonWriter::process(const Process& process) {
  Buffer& out = begin_record();
  out.done(fmt::format_to(out.room(kRecordRoom),
                          FMT_COMPILE(R"({{"type":"process","pid":{},"ns_pid":{},"parent":{})"),
                          process.pid, process.ns_pid, process.parent));
  name("comm", process.comm);
  char* at = fmt::format_to(out.room(kRecordRoom), FMT_COMPILE(R"(,"start_ns":{},"exit_ns":)"),
                            process.start_ns);
  out.done(literal(number_or_null(at, process.exit_ns), "}"));
  return end_record();
}

Status JsonWriter::file(const File& file) {
  if (paths_.size() < Summarizer::kTrackedFiles) paths_[file.id] = file.path;
  Buffer& out = begin_record();
  out.done(
      fmt::format_to(out.room(kRecordRoom), FMT_COMPILE(R"({{"type":"file","file":{})"), file.id));
  name("path", file.path);
  char* at = literal(out.room(kRecordRoom), R"(,"path_partial":)");
  at = literal(boolean(at, file.path_partial), R"(,"unlinked":)");
  at = fmt::format_to(boolean(at, file.unlinked), FMT_COMPILE(R"(,"kind":"{}","dev":)"),
                      iohops::name(file.kind));
  at = fmt::format_to(device(at, file.dev), FMT_COMPILE(R"(,"inode":"{}","generation":{})"),
                      file.inode, file.generation);
  out.done(at);
  name("filesystem", file.filesystem);
  at = boolean(literal(out.room(kRecordRoom), R"(,"dax":)"), file.dax);
  out.done(literal(at, "}"));
  return end_record();
}

void JsonWriter::hop(const Hop& hop) {
  char* at = buffer_->room(kRecordRoom);
  if (hop.kind == HopKind::kWait) {
    at =
        fmt::format_to(at,
                       FMT_COMPILE(R"({{"hop":"wait","reason":"{}","from":null,"to":null,)"
                                   R"("bytes":0,"at_ns":{},"end_ns":{},)"
                                   R"("transfer":null,"device":null,"evidence":"{}"}})"),
                       iohops::name(hop.reason), hop.at_ns, hop.end_ns, iohops::name(hop.evidence));
    return buffer_->done(at);
  }
  at = fmt::format_to(at,
                      FMT_COMPILE(R"({{"hop":"{}","from":"{}","to":"{}","bytes":{},"at_ns":{},)"
                                  R"("end_ns":{},"transfer":)"),
                      iohops::name(hop.kind), iohops::name(hop.from), iohops::name(hop.to),
                      hop.bytes, hop.at_ns, hop.end_ns);
  at = literal(transfer_or_null(at, hop.transfer), R"(,"device":)");
  at = hop.device != 0 ? device(at, hop.device) : literal(at, "null");
  if (hop.cause) {
    at = fmt::format_to(at, FMT_COMPILE(R"(,"cause":"{}")"), iohops::name(*hop.cause));
  }
  at = fmt::format_to(at, FMT_COMPILE(R"(,"evidence":"{}"}})"), iohops::name(hop.evidence));
  buffer_->done(at);
}

// What only some requests have: how it failed, how a fault went, how it ended.
void JsonWriter::outcome(const Request& request) {
  char* at = buffer_->room(kRecordRoom);
  if (request.result < 0) {
    const std::string_view error = errno_name(request.result);
    if (!error.empty()) at = fmt::format_to(at, FMT_COMPILE(R"(,"error":"{}")"), error);
  }
  if (request.submit == Submit::kPageFault) {
    at = fmt::format_to(at, FMT_COMPILE(R"(,"major_fault":{},"write_fault":{})"),
                        request.major_fault, request.write_fault);
  }
  buffer_->done(at);
  if (!request.ended.empty()) name("ended", request.ended);
}

Status JsonWriter::request(const Request& request) {
  Buffer& out = begin_record();
  out.done(fmt::format_to(out.room(kRecordRoom),
                          FMT_COMPILE(R"({{"type":"request","id":"{}.{}","pid":{},"tid":{})"),
                          request.id.pid, request.id.seq, request.id.pid, request.tid));
  name("comm", request.comm);
  name("op", request.op);
  char* at = fmt::format_to(out.room(kRecordRoom), FMT_COMPILE(R"(,"submit":"{}","fd":{},"file":)"),
                            iohops::name(request.submit), request.fd);
  at = literal(file_or_null(at, request.file), R"(,"offset":)");
  at = literal(number_or_null(at, request.offset), R"(,"requested":)");
  at = number_or_null(at, request.requested);
  at = fmt::format_to(
      at,
      FMT_COMPILE(R"(,"result":{},"moves_data":{},"start_ns":{},"duration_ns":{},"path":"{}",)"
                  R"("cache":"{}","miss_bytes":{},"readahead_bytes":{},"dirtied_bytes":{},)"
                  R"("mode_switches":{},"context_switches":{{"voluntary":{},"involuntary":{}}},)"
                  R"("off_cpu_ns":{},"hops":[)"),
      request.result, request.moves_data, request.start_ns, request.duration_ns,
      iohops::name(request.path), iohops::name(request.cache), request.miss_bytes,
      request.readahead_bytes, request.dirtied_bytes, request.mode_switches,
      request.voluntary_switches, request.involuntary_switches, request.off_cpu_ns);
  out.done(at);
  for (size_t i = 0; i < request.hops.size(); ++i) {
    if (i > 0) out.put(",");
    hop(request.hops[i]);
  }
  at = fmt::format_to(out.room(kRecordRoom),
                      FMT_COMPILE(R"(],"cpu_copies":{},"cpu_copy_bytes":{},"dma_transfers":{},)"
                                  R"("dma_bytes":{},"complete":{})"),
                      request.cpu_copies, request.cpu_copy_bytes, request.dma_transfers,
                      request.dma_bytes, request.complete);
  out.done(at);
  if (request.result < 0 || request.submit == Submit::kPageFault || !request.ended.empty()) {
    outcome(request);
  }
  out.put("}");
  ++out.requests_ended;
  return end_record();
}

void JsonWriter::shares(const std::vector<Share>& shares) {
  buffer_->put("[");
  for (size_t i = 0; i < shares.size(); ++i) {
    if (i > 0) buffer_->put(",");
    const auto& [request, bytes] = shares[i];
    buffer_->done(fmt::format_to(buffer_->room(kRecordRoom),
                                 FMT_COMPILE(R"({{"request":"{}.{}","bytes":{}}})"), request.pid,
                                 request.seq, bytes));
  }
  buffer_->put("]");
}

Status JsonWriter::transfer(const Transfer& transfer) {
  Buffer& out = begin_record();
  char* at = fmt::format_to(out.room(kRecordRoom),
                            FMT_COMPILE(R"({{"type":"transfer","id":"{}","device":)"), transfer.id);
  out.done(device(at, transfer.device));
  name("op", transfer.op);
  out.put(R"(,"flags":[)");
  for (size_t i = 0; i < transfer.flags.size(); ++i) {
    if (i > 0) out.put(",");
    text(transfer.flags[i]);
  }
  at = fmt::format_to(out.room(kRecordRoom),
                      FMT_COMPILE(R"(],"sector":{},"bytes":{},"bios":{},"splits":{},)"
                                  R"("requeues":{},"queue_ns":)"),
                      transfer.sector, transfer.bytes, transfer.bios, transfer.splits,
                      transfer.requeues);
  at = literal(number_or_null(at, transfer.queue_ns), R"(,"insert_ns":)");
  at = literal(number_or_null(at, transfer.insert_ns), R"(,"issue_ns":)");
  at = number_or_null(at, transfer.issue_ns);
  at = fmt::format_to(at, FMT_COMPILE(R"(,"complete_ns":{},"error":{},"cause":"{}","owners":)"),
                      transfer.complete_ns, transfer.error, iohops::name(transfer.cause));
  out.done(at);
  shares(transfer.owners);
  at = fmt::format_to(out.room(kRecordRoom), FMT_COMPILE(R"(,"unattributed_bytes":{},"file":)"),
                      transfer.unattributed_bytes);
  at = literal(file_or_null(at, transfer.file), R"(,"offset":)");
  at = number_or_null(at, transfer.offset);
  const DmaEvidence& dma = transfer.dma;
  at = fmt::format_to(at,
                      FMT_COMPILE(R"(,"dma":{{"evidence":"{}","dma":{},"segments":{},)"
                                  R"("mapped_bytes":{},"bounced_bytes":{}}}}})"),
                      iohops::name(dma.evidence), dma.dma, dma.segments, dma.mapped_bytes,
                      dma.bounced_bytes);
  out.done(at);
  return end_record();
}

Status JsonWriter::effect(const Effect& effect) {
  Buffer& out = begin_record();
  out.done(fmt::format_to(out.room(kRecordRoom),
                          FMT_COMPILE(R"({{"type":"effect","cause":"{}","requests":)"),
                          iohops::name(effect.cause)));
  shares(effect.requests);
  char* at = literal(out.room(kRecordRoom), R"(,"file":)");
  at = fmt::format_to(file_or_null(at, effect.file),
                      FMT_COMPILE(R"(,"offset":{},"bytes":{},"transfer":)"), effect.offset,
                      effect.bytes);
  at = fmt::format_to(transfer_or_null(at, effect.transfer),
                      FMT_COMPILE(R"(,"at_ns":{},"delay_ns":{})"), effect.at_ns, effect.delay_ns);
  out.done(at);
  name("reason", effect.reason);
  out.put("}");
  return end_record();
}

Status JsonWriter::flow(const Flow& flow) {
  Buffer& out = begin_record();
  out.done(fmt::format_to(out.room(kRecordRoom),
                          FMT_COMPILE(R"({{"type":"flow","from_request":"{}.{}",)"
                                      R"("to_request":"{}.{}","bytes":{},"evidence":"{}",)"
                                      R"("cpu_copies":{},"dma":{},"mode_switches":{})"),
                          flow.from.pid, flow.from.seq, flow.to.pid, flow.to.seq, flow.bytes,
                          iohops::name(flow.evidence), flow.cpu_copies, flow.dma,
                          flow.mode_switches));
  name("kind", flow.kind);
  name("advice", flow.advice);
  out.put("}");
  return end_record();
}

Status JsonWriter::loss(const Loss& loss) {
  Buffer& out = begin_record();
  out.done(fmt::format_to(out.room(kRecordRoom), FMT_COMPILE(R"({{"type":"loss","at_ns":{})"),
                          loss.at_ns));
  name("cause", loss.cause);
  out.done(fmt::format_to(out.room(kRecordRoom), FMT_COMPILE(R"(,"count":{}}})"), loss.count));
  return end_record();
}

Status JsonWriter::summary(const Summary& summary) {
  if (form_ == Form::kDocument) buffer_->put("\n],\n\"summary\":");
  buffer_->put(summary_json(summary, paths_));
  if (form_ == Form::kDocument) buffer_->put("}");
  buffer_->put("\n");
  summarized_ = true;
  return buffer_->status();
}

Status JsonWriter::finish(bool) {
  if (form_ == Form::kDocument && !summarized_) buffer_->put("\n]}\n");
  return buffer_->flush();
}

Status JsonWriter::flush() { return buffer_->flush(); }

}  // namespace iohops
