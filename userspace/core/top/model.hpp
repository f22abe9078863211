// TopModel: everything that top's screen shows and remembers: the rows of the view, their order,
// the selection, the filter, the way down and back. Pure: fed by samples, changed by keys, drawn by
// sinks/top. Does not see the clock, the terminal or the kernel.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/top/columns.hpp"
#include "core/top/keys.hpp"
#include "core/top/tallies.hpp"

namespace iohops {

// There is no device view: the kernel's rows do not name the device.
enum class TopView : uint8_t { kProcesses, kFiles, kOps };
std::string_view title(TopView);

// What the rows are restricted to by going down with Enter.
struct TopScope {
  std::optional<uint32_t> pid;
  std::optional<uint64_t> file;
};

struct TopTotals {
  size_t processes = 0;  // traced ones that made requests since the start
  TopFigures figures;
  uint64_t lost = 0;  // since the start
  double self_cpu_percent = 0;
  uint64_t elapsed_ns = 0;
  std::string clock;

  double per_second(uint64_t n) const;
};

class TopModel {
 public:
  // Feeding.
  void name_process(const Process& process) { tallies_.name_process(process); }
  void name_file(uint32_t alias, const File& file) { tallies_.name_file(alias, file); }
  void update(const TopSample&);

  // Steering; each keeps the selection on its row.
  void sort_by(TopColumn, bool ascending);
  void filter(std::string text);
  void show(TopView);
  // False: the person wants to leave. `page_rows`: table rows on the screen, for PgUp and PgDn.
  bool handle(const TopKey&, size_t page_rows);

  // What there is to draw.
  TopView view() const { return view_; }
  const TopScope& scope() const { return scope_; }
  std::string scope_title() const;  // raw bytes: "postgres (4242)", empty without scope
  const std::vector<TopRow>& rows() const { return rows_; }
  std::optional<size_t> selected() const;  // index into rows()
  const TopTotals& totals() const { return totals_; }
  TopColumn sort_column() const { return sort_; }
  bool ascending() const { return ascending_; }
  std::span<const TopColumn> visible_columns() const;  // of the view, in order
  const std::string& filter_text() const { return filter_; }
  bool editing_filter() const { return editing_; }
  size_t filter_cursor() const { return cursor_; }  // bytes into filter_text()
  bool frozen() const { return frozen_; }
  bool active_only() const { return active_only_; }
  bool help() const { return help_; }
  bool has_sample() const { return samples_ > 0; }

  // How long the driving loop waits between samples; + and - change it.
  std::chrono::milliseconds interval() const { return interval_; }
  void set_interval(std::chrono::milliseconds interval) { interval_ = interval; }

 private:
  struct Place {  // where Esc goes back to
    TopView view;
    TopScope scope;
    std::optional<uint64_t> selected;
    std::string filter;
  };

  void rebuild_rows();
  void order_rows();
  TopRow blank_row(const TopDelta&) const;
  bool passes(const TopRow&) const;
  uint64_t row_key(const TopDelta&) const;
  void show_latest();
  bool handle_command(const TopKey&, size_t page_rows);
  bool handle_character(char32_t);
  void handle_editing(const TopKey&);
  void erase_filter(size_t from, size_t to);
  void move(long rows);
  void next_column(int step);
  void change_interval(int step);
  void enter();
  void leave();

  TopTallies tallies_;
  std::vector<TopDelta> latest_, shown_;  // they differ while frozen
  TopTotals latest_totals_, totals_;
  std::vector<TopRow> rows_;
  TopView view_ = TopView::kProcesses;
  TopScope scope_;
  std::vector<Place> places_;
  std::optional<uint64_t> selected_;  // key of the row; unset: the first, whichever it is
  size_t selected_index_ = 0;         // where it was, in case it vanishes
  TopColumn sort_ = TopColumn::kBytes;
  bool ascending_ = false;
  std::string filter_, filter_before_;
  size_t cursor_ = 0;
  bool editing_ = false, frozen_ = false, help_ = false, active_only_ = false;
  uint64_t samples_ = 0;
  std::chrono::milliseconds interval_{1000};
};

}  // namespace iohops
