// TextReport: the readable summary of a trace. Sees the records of a trace (replayed from JSON or
// live) and writes once, when the trace has ended; memory is bounded whatever the trace's length.
// Does not read files, does not know the terminal: the caller says how wide and whether in colour.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "core/bytes.hpp"
#include "core/sink.hpp"

namespace iohops {

enum class ReportGroup : uint8_t { kFile, kProcess, kThread, kDevice, kOp };

struct TextReportOptions {
  size_t top_n = 10;                          // rows per table
  ReportGroup group_by = ReportGroup::kFile;  // which table stands first
  bool color = false;
  bool utf8 = true;    // names may be shown as UTF-8; else escaped
  size_t width = 100;  // columns, at least 80 are used
};

class TextReport : public Sink {
 public:
  TextReport(ByteWriter& out, TextReportOptions options = {});  // `out` outlives the report
  ~TextReport() override;

  Status header(const Header&) override;
  Status process(const Process&) override;
  Status file(const File&) override;
  Status request(const Request&) override;
  Status transfer(const Transfer&) override;
  Status effect(const Effect&) override;
  Status flow(const Flow&) override;
  Status loss(const Loss&) override;
  Status summary(const Summary&) override;
  Status finish(bool truncated) override;  // writes and flushes; does not close `out`

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace iohops
