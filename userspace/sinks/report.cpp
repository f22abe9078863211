// TextReport hands records to the ledger and, at the end, the page to the writer.
#include "sinks/report.hpp"

#include "sinks/report_ledger.hpp"
#include "sinks/report_page.hpp"

namespace iohops {

struct TextReport::State {
  ByteWriter& out;
  const TextReportOptions options;
  ReportLedger ledger{options};
};

TextReport::TextReport(ByteWriter& out, TextReportOptions options)
    : state_(new State{out, options}) {}

TextReport::~TextReport() = default;

Status TextReport::header(const Header& header) {
  state_->ledger.header(header);
  return {};
}

Status TextReport::process(const Process& process) {
  state_->ledger.process(process);
  return {};
}

Status TextReport::file(const File& file) {
  state_->ledger.file(file);
  return {};
}

Status TextReport::request(const Request& request) { return state_->ledger.request(request); }

Status TextReport::transfer(const Transfer& transfer) { return state_->ledger.transfer(transfer); }

Status TextReport::effect(const Effect& effect) { return state_->ledger.effect(effect); }

Status TextReport::flow(const Flow& flow) { return state_->ledger.summarizer().flow(flow); }

Status TextReport::loss(const Loss& loss) { return state_->ledger.summarizer().loss(loss); }

Status TextReport::summary(const Summary& summary) {
  return state_->ledger.summarizer().summary(summary);
}

Status TextReport::finish(bool truncated) {
  state_->ledger.close();
  Status written = state_->out.write(ReportPage(state_->ledger, state_->options, truncated).text());
  if (!written) return written;
  return state_->out.flush();
}

}  // namespace iohops
