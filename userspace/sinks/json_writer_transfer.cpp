// What JsonWriter makes of transfers.
#include "sinks/json_buffer.hpp"
#include "sinks/json_line.hpp"
#include "sinks/json_writer.hpp"

namespace iohops {

// Of a stacked device, or of one below such.
void JsonWriter::stage(const Transfer& transfer) {
  JsonBuffer& out = *buffer_;
  for (size_t i = 0; i < transfer.parents.size(); ++i) {
    const Parent& parent = transfer.parents[i];
    out.put(i == 0 ? R"(,"parents":[)" : ",");
    out.done(line(kRecordRoom) << R"({"transfer":)" << BigId{parent.transfer} << R"(,"bytes":)"
                               << parent.bytes << R"(,"evidence":")"
                               << iohops::name(parent.evidence) << R"("})");
  }
  if (!transfer.parents.empty()) out.put("]");
  for (size_t i = 0; i < transfer.copies.size(); ++i) {
    const StageCopy& copy = transfer.copies[i];
    out.put(i == 0 ? R"(,"copies":[)" : ",");
    out.done(line(kRecordRoom) << R"({"from":")" << iohops::name(copy.from) << R"(","to":")"
                               << iohops::name(copy.to) << R"(","bytes":)" << copy.bytes
                               << R"(,"evidence":")" << iohops::name(copy.evidence) << R"("})");
  }
  if (!transfer.copies.empty()) out.put("]");
  if (transfer.carried_on) out.put(R"(,"carried_on":true)");
}

Status JsonWriter::transfer(const Transfer& transfer) {
  JsonBuffer& out = begin_record();
  out.done(line(kRecordRoom) << R"({"type":"transfer","id":")" << transfer.id << R"(","device":")"
                             << (transfer.device >> 20) << ":" << (transfer.device & 0xfffffU)
                             << "\"");
  name("op", transfer.op);
  out.put(R"(,"flags":[)");
  for (size_t i = 0; i < transfer.flags.size(); ++i) {
    if (i > 0) out.put(",");
    text(transfer.flags[i]);
  }
  JsonLine json = line(kRecordRoom);
  json << R"(],"sector":)" << transfer.sector << R"(,"bytes":)" << transfer.bytes << R"(,"bios":)"
       << transfer.bios << R"(,"splits":)" << transfer.splits << R"(,"requeues":)"
       << transfer.requeues << R"(,"queue_ns":)" << transfer.queue_ns << R"(,"insert_ns":)"
       << transfer.insert_ns << R"(,"issue_ns":)" << transfer.issue_ns << R"(,"complete_ns":)"
       << transfer.complete_ns << R"(,"error":)" << transfer.error << R"(,"cause":")"
       << iohops::name(transfer.cause) << R"(","owners":)";
  out.done(json);
  shares(transfer.owners);
  const DmaEvidence& dma = transfer.dma;
  out.done(line(kRecordRoom) << R"(,"unattributed_bytes":)" << transfer.unattributed_bytes
                             << R"(,"file":)" << FileId{transfer.file} << R"(,"offset":)"
                             << transfer.offset << R"(,"dma":{"evidence":")"
                             << iohops::name(dma.evidence) << R"(","dma":)" << dma.dma
                             << R"(,"segments":)" << dma.segments << R"(,"mapped_bytes":)"
                             << dma.mapped_bytes << R"(,"bounced_bytes":)" << dma.bounced_bytes
                             << "}");
  for (size_t i = 0; i < transfer.queued_by.size(); ++i) {
    const Queuer& queuer = transfer.queued_by[i];
    out.put(i == 0 ? R"(,"queued_by":[)" : ",");
    out.done(line(kRecordRoom) << R"({"pid":)" << queuer.pid << R"(,"tid":)" << queuer.tid
                               << R"(,"bytes":)" << queuer.bytes << "}");
  }
  if (!transfer.queued_by.empty()) out.put("]");
  stage(transfer);
  out.put("}");
  return end_record();
}

}  // namespace iohops
