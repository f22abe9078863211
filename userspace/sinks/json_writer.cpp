#include "sinks/json_writer.hpp"

#include <utility>

#include "core/summarizer.hpp"
#include "sinks/json_buffer.hpp"
#include "sinks/json_form.hpp"
#include "sinks/json_header.hpp"
#include "sinks/json_line.hpp"
#include "sinks/json_summary.hpp"
#include "sinks/json_text.hpp"

namespace iohops {

namespace {

constexpr size_t kNewlineRoom = 16;
constexpr size_t kShortName = kRecordRoom / 2;
constexpr size_t kEscapedNames = 4096;
constexpr size_t kThreads = 1024;

}  // namespace

JsonWriter::JsonWriter(ByteWriter& out, Form form)
    : form_(form), buffer_(std::make_unique<JsonBuffer>(out)) {}
JsonWriter::~JsonWriter() = default;

uint64_t JsonWriter::requests_written() const { return buffer_->requests_written; }

JsonBuffer& JsonWriter::begin_record() {
  if (form_ == Form::kDocument) buffer_->put(first_record_ ? "\n" : ",\n");
  first_record_ = false;
  return *buffer_;
}

Status JsonWriter::end_record() {
  if (form_ == Form::kLines) buffer_->done(line(kNewlineRoom) << "\n");
  return buffer_->status();
}

void JsonWriter::text(std::string_view raw) {
  if (is_plain(raw)) {
    buffer_->put("\"");
    buffer_->put(raw);
    return buffer_->put("\"");
  }
  if (escaped_.size() >= kEscapedNames) escaped_.clear();
  auto [entry, is_new] = escaped_.try_emplace(std::string(raw));
  if (is_new) entry->second = json_quote(raw);
  buffer_->put(entry->second);
}

JsonLine JsonWriter::line(size_t room) { return JsonLine(buffer_->room(room)); }

void JsonWriter::name(std::string_view key, std::string_view raw) {
  if (raw.size() <= kShortName && is_plain(raw)) {
    return buffer_->done(line(kRecordRoom) << ",\"" << key << "\":\"" << raw << "\"");
  }
  buffer_->done(line(kRecordRoom) << ",\"" << key << "\":");
  text(raw);
  if (is_utf8(raw)) return;
  buffer_->done(line(kRecordRoom) << ",\"" << key << "_b64\":");
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
  JsonBuffer& out = begin_record();
  out.done(line(kRecordRoom) << R"({"type":"process","pid":)" << process.pid << R"(,"ns_pid":)"
                             << process.ns_pid << R"(,"parent":)" << process.parent);
  name("comm", process.comm);
  out.done(line(kRecordRoom) << R"(,"start_ns":)" << process.start_ns << R"(,"exit_ns":)"
                             << process.exit_ns << "}");
  return end_record();
}

Status JsonWriter::file(const File& file) {
  if (paths_.size() < Summarizer::kTrackedFiles) paths_[file.id] = file.path;
  JsonBuffer& out = begin_record();
  out.done(line(kRecordRoom) << R"({"type":"file","file":)" << file.id);
  name("path", file.path);
  out.done(line(kRecordRoom) << R"(,"path_partial":)" << file.path_partial << R"(,"unlinked":)"
                             << file.unlinked << R"(,"kind":")" << iohops::name(file.kind)
                             << R"(","dev":")" << (file.dev >> 20) << ":" << (file.dev & 0xfffffU)
                             << R"(","inode":")" << file.inode << R"(","generation":)"
                             << file.generation);
  name("filesystem", file.filesystem);
  if (!file.socket.empty()) name("socket", file.socket);
  out.done(line(kRecordRoom) << R"(,"dax":)" << file.dax << "}");
  return end_record();
}

void JsonWriter::hop(const Hop& hop) {
  JsonLine json = line(kRecordRoom);
  json << R"({"hop":")" << iohops::name(hop.kind);
  if (hop.kind == HopKind::kWait) {
    json << R"(","reason":")" << iohops::name(hop.reason) << R"(","from":null,"to":null,"bytes":0)";
  } else {
    json << R"(","from":")" << iohops::name(hop.from) << R"(","to":")" << iohops::name(hop.to)
         << R"(","bytes":)" << hop.bytes;
  }
  json << R"(,"at_ns":)" << hop.at_ns << R"(,"end_ns":)" << hop.end_ns;
  if (hop.transfer == 0 && hop.device == 0) {
    json << R"(,"transfer":null,"device":null)";
  } else {
    json << R"(,"transfer":)" << BigId{hop.transfer} << R"(,"device":)" << DeviceId{hop.device};
  }
  if (hop.cause) json << R"(,"cause":")" << iohops::name(*hop.cause) << "\"";
  json << R"(,"evidence":")" << iohops::name(hop.evidence) << "\"}";
  buffer_->done(json);
}

// What only some requests have: how it failed, how a fault went, how it ended.
void JsonWriter::outcome(const Request& request) {
  JsonLine json = line(kRecordRoom);
  if (request.result < 0) {
    const std::string_view error = errno_name(request.result);
    if (!error.empty()) json << R"(,"error":")" << error << "\"";
  }
  if (request.submit == Submit::kPageFault) {
    json << R"(,"major_fault":)" << request.major_fault << R"(,"write_fault":)"
         << request.write_fault;
  }
  buffer_->done(json);
  if (!request.ended.empty()) name("ended", request.ended);
}

namespace {

template <size_t N>
void name_bits(JsonLine& json, const std::array<std::string_view, N>& names, uint32_t bits,
               bool more) {
  for (size_t i = 0; i < N; ++i) {
    if ((bits >> i & 1) == 0) continue;
    json << std::string_view(more ? ",\"" : "\"") << names[i] << "\"";
    more = true;
  }
}

}  // namespace

void JsonWriter::ring(const RingFacts& ring) {
  JsonLine json = line(kRecordRoom);
  json << R"(,"ring":{"batch":)";
  if (ring.batch)
    json << *ring.batch;
  else
    json << "null";
  json << R"(,"run_by":[)";
  name_bits(json, kRunnerNames, ring.run_by, false);
  json << R"(],"flags":[)" << std::string_view(ring.multishot ? "\"multishot\"" : "");
  name_bits(json, kRingFlagNames, ring.flags, ring.multishot);
  json << "]}";
  buffer_->done(json);
}

void JsonWriter::destination(const Request& request) {
  JsonLine json = line(kRecordRoom);
  if (request.to_file != 0 || request.to_fd >= 0) {
    json << R"(,"to_fd":)" << request.to_fd << R"(,"to_file":)" << FileId{request.to_file}
         << R"(,"to_offset":)" << request.to_offset;
  }
  if (request.moved) json << R"(,"moved_bytes":)" << *request.moved;
  buffer_->done(json);
}

// False: no line like it has been kept, and this one could not be.
bool JsonWriter::write_alike(const Request& request) {
  if (alike_.empty()) alike_.resize(Request::kAlike);
  Alike& known = alike_[request.alike % Request::kAlike];
  if (known.number == request.alike) {
    const JsonWho* thread = known.form != nullptr && request.fd >= 0 ? who(request) : nullptr;
    if (thread == nullptr) return false;
    buffer_->done(JsonLine(known.form->write(request, *thread, buffer_->room(JsonForm::kRoom))));
    return true;
  }
  if (request.fd < 0) return false;
  known.number = request.alike;
  if (known.form == nullptr) known.form = std::make_unique<JsonForm>();
  const char* begin = buffer_->room(4 * kRecordRoom + JsonForm::kLongest);  // in one piece
  write_request(request);
  if (!known.form->cut(buffer_->since(begin), request)) known.form.reset();
  return true;
}

// nullptr: its name has to be escaped.
const JsonWho* JsonWriter::who(const Request& request) {
  if (who_.empty()) who_.resize(kThreads);
  JsonWho& known = who_[request.tid % kThreads];
  return known.is(request) || known.set(request, ++names_) ? &known : nullptr;
}

Status JsonWriter::request(const Request& request) {
  JsonBuffer& out = begin_record();
  if (request.alike == 0 || !write_alike(request)) write_request(request);
  ++out.requests_ended;
  return end_record();
}

void JsonWriter::write_request(const Request& request) {
  JsonBuffer& out = *buffer_;
  out.done(line(kRecordRoom) << R"({"type":"request","id":)" << request.id << R"(,"pid":)"
                             << request.id.pid << R"(,"tid":)" << request.tid);
  name("comm", request.comm);
  name("op", request.op);
  JsonLine json = line(kRecordRoom);
  json << R"(,"submit":")" << iohops::name(request.submit) << R"(","fd":)" << request.fd
       << R"(,"file":)" << FileId{request.file} << R"(,"offset":)" << request.offset
       << R"(,"requested":)" << request.requested << R"(,"result":)" << request.result
       << R"(,"moves_data":)" << request.moves_data << R"(,"start_ns":)" << request.start_ns
       << R"(,"duration_ns":)" << request.duration_ns << R"(,"path":")"
       << iohops::name(request.path) << R"(","cache":")" << iohops::name(request.cache)
       << R"(","miss_bytes":)" << request.miss_bytes << R"(,"readahead_bytes":)"
       << request.readahead_bytes << R"(,"dirtied_bytes":)" << request.dirtied_bytes
       << R"(,"mode_switches":)" << request.mode_switches << R"(,"context_switches":{"voluntary":)"
       << request.voluntary_switches << R"(,"involuntary":)" << request.involuntary_switches
       << R"(},"off_cpu_ns":)" << request.off_cpu_ns << R"(,"hops":[)";
  out.done(json);
  for (size_t i = 0; i < request.hops.size(); ++i) {
    if (i > 0) out.put(",");
    hop(request.hops[i]);
  }
  out.done(line(kRecordRoom) << R"(],"cpu_copies":)" << request.cpu_copies
                             << R"(,"cpu_copy_bytes":)" << request.cpu_copy_bytes
                             << R"(,"dma_transfers":)" << request.dma_transfers
                             << R"(,"dma_bytes":)" << request.dma_bytes << R"(,"complete":)"
                             << request.complete);
  if (request.result < 0 || request.submit == Submit::kPageFault || !request.ended.empty()) {
    outcome(request);
  }
  if (request.ring) ring(*request.ring);
  if (!request.readahead_of.empty()) {
    out.put(R"(,"readahead_of":)");
    shares(request.readahead_of);
  }
  if (request.to_file != 0 || request.to_fd >= 0 || request.moved) {
    destination(request);
  }
  out.put("}");
}

void JsonWriter::shares(const std::vector<Share>& shares) {
  buffer_->put("[");
  for (size_t i = 0; i < shares.size(); ++i) {
    if (i > 0) buffer_->put(",");
    buffer_->done(line(kRecordRoom) << R"({"request":)" << shares[i].request << R"(,"bytes":)"
                                    << shares[i].bytes << "}");
  }
  buffer_->put("]");
}

Status JsonWriter::effect(const Effect& effect) {
  JsonBuffer& out = begin_record();
  out.done(line(kRecordRoom) << R"({"type":"effect","cause":")" << iohops::name(effect.cause)
                             << R"(","requests":)");
  shares(effect.requests);
  out.done(line(kRecordRoom) << R"(,"file":)" << FileId{effect.file} << R"(,"offset":)"
                             << effect.offset << R"(,"bytes":)" << effect.bytes << R"(,"transfer":)"
                             << BigId{effect.transfer} << R"(,"at_ns":)" << effect.at_ns
                             << R"(,"delay_ns":)" << effect.delay_ns);
  name("reason", effect.reason);
  if (effect.to_cache) out.put(R"(,"to_cache":true)");
  out.put("}");
  return end_record();
}

Status JsonWriter::flow(const Flow& flow) {
  JsonBuffer& out = begin_record();
  out.done(line(kRecordRoom) << R"({"type":"flow","from_request":)" << flow.from
                             << R"(,"to_request":)" << flow.to << R"(,"bytes":)" << flow.bytes
                             << R"(,"evidence":")" << iohops::name(flow.evidence)
                             << R"(","cpu_copies":)" << flow.cpu_copies << R"(,"dma":)" << flow.dma
                             << R"(,"mode_switches":)" << flow.mode_switches
                             << R"(,"copied_bytes":)" << flow.copied_bytes);
  name("kind", flow.kind);
  name("advice", flow.advice);
  out.done(line(kRecordRoom) << R"(,"from_file":)" << FileId{flow.from_file} << R"(,"to_file":)"
                             << FileId{flow.to_file});
  out.put("}");
  return end_record();
}

Status JsonWriter::loss(const Loss& loss) {
  JsonBuffer& out = begin_record();
  out.done(line(kRecordRoom) << R"({"type":"loss","at_ns":)" << loss.at_ns);
  name("cause", loss.cause);
  out.done(line(kRecordRoom) << R"(,"count":)" << loss.count << "}");
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
