// ReportPage: the text of a report, section by section; a section with nothing to say is silent.
// Sees a closed ledger; does not see where the text goes.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "sinks/report_ledger.hpp"
#include "sinks/text.hpp"

namespace iohops {

class ReportPage {
 public:
  ReportPage(const ReportLedger& ledger, const TextReportOptions& options, bool truncated);

  std::string text();

 private:
  using Style = text::Style;

  // report_page.cpp
  void headline();
  std::string target() const;
  std::string storage() const;
  void verdict();
  void requests();
  void time();
  void syncs();
  void advice();
  void not_seen();
  void lost();
  void cost();
  void all_requests();
  bool light() const { return ledger_.header() && ledger_.header()->light; }
  void line(Style, std::string_view text);
  // Pieces side by side, as many in a line as fit.
  void flow(const std::vector<std::string>& pieces, std::string_view indent,
            std::string_view gap = "   ");
  static std::string plural(uint64_t n, std::string_view one);
  void prose(const std::string& sentence);  // indented, broken at blanks
  void section(text::Table&);  // the table, its title line emphasised, an empty line before it
  std::string escaped(std::string_view raw) const { return text::escape(raw, options_.utf8); }

  // report_light.cpp
  void below_calls();
  void shares(const char* title, const std::vector<std::pair<uint32_t, DeviceShare>>&,
              const std::function<std::string(uint32_t)>& label);

  // report_tables.cpp
  void bytes_moved();
  void groups(ReportGroup, const char* title);
  void devices();
  void slowest();
  void unattributed();
  struct Move {
    Endpoint from, to;
    std::string_view arrow;
    std::string_view figure;  // its key in the header's evidence
    uint64_t bytes;
    std::optional<Evidence> evidence;
  };
  std::vector<Move> moves() const;
  void causes();
  void page_cache();
  struct GroupColumn {
    const char* title;
    std::function<std::string(const GroupTotals&)> cell;
  };
  std::vector<GroupColumn> group_columns(bool later) const;
  std::string footnote(std::string_view figure, Evidence);

  const ReportLedger& ledger_;
  const Summary& summary_;
  const TextReportOptions options_;
  const size_t width_;
  const bool truncated_;
  const text::Paint paint_;
  std::string out_;
  std::vector<std::string> footnotes_;
};

}  // namespace iohops
