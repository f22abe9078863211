// Lays top's screen out. Sees the model and a size; the columns' text is from cells.cpp.
#include "sinks/top/frame.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "sinks/text.hpp"
#include "sinks/top/cells.hpp"
#include "sinks/top/help.hpp"

namespace iohops {
namespace {

// What a screen of a given height has room for, the table first.
struct Layout {
  bool heading = false, titles = false, footer = false;
  size_t totals = 0;  // lines
  size_t rows = 0;    // of the table
};

Layout lay_out(size_t height) {
  Layout layout;
  layout.titles = height >= 2;
  layout.heading = height >= 4;
  layout.totals = height >= 8 ? 2 : height >= 5 ? 1 : 0;
  layout.footer = height >= 6;
  layout.rows = height - layout.titles - layout.heading - layout.totals - layout.footer;
  return layout;
}

// The table's columns that fit, and how wide each is.
struct Columns {
  struct Placed {
    TopColumn column;
    size_t width;
  };
  std::vector<Placed> placed;
  size_t gap = 1;
};

// What goes first when there is no room; names and what the table is sorted by never go.
constexpr std::array kLeastTelling{TopColumn::kWriteback, TopColumn::kOffCpu,   TopColumn::kP50,
                                   TopColumn::kSwitches,  TopColumn::kHit,      TopColumn::kPid,
                                   TopColumn::kP99,       TopColumn::kRequests, TopColumn::kDevice,
                                   TopColumn::kCopies,    TopColumn::kBytes};

Columns place_columns(const TopModel& model, size_t width) {
  const bool processes = model.view() == TopView::kProcesses;
  Columns columns;
  for (const TopColumn column : model.visible_columns())
    columns.placed.push_back(
        {column, column == TopColumn::kName && !processes ? 24 : top_column_width(column)});
  const auto taken = [&columns] {
    size_t sum = columns.gap * (columns.placed.size() - 1);
    for (const auto& placed : columns.placed) sum += placed.width;
    return sum;
  };
  for (const TopColumn column : kLeastTelling) {
    if (taken() <= width) break;
    if (column == model.sort_column()) continue;
    std::erase_if(columns.placed, [column](const auto& p) { return p.column == column; });
  }
  columns.gap = 2;
  if (taken() > width) columns.gap = 1;
  for (auto& placed : columns.placed) {
    if (placed.column != TopColumn::kName) continue;
    if (taken() > width) placed.width -= std::min(placed.width, taken() - width);
    size_t longest = placed.width;
    for (const TopRow& row : model.rows()) {
      if (longest > width) break;
      longest = std::max(longest, text::width(text::escape(row.name)));
    }
    if (taken() < width) placed.width = std::min(longest, placed.width + width - taken());
  }
  return columns;
}

std::string cell_text(const std::string& cell, const Columns::Placed& placed) {
  if (stands_left(placed.column))
    return text::pad_right(text::clip_middle(cell, placed.width), placed.width);
  return text::pad_left(text::clip(cell, placed.width), placed.width);
}

class Painter {
 public:
  Painter(const TopModel& model, size_t width, size_t height, bool utf8)
      : model_(model), width_(width), height_(height), layout_(lay_out(height)), utf8_(utf8) {}

  TopFrame paint() {
    if (width_ == 0 || height_ == 0) return {};
    if (model_.help()) {
      for (TopLine& line : top_help()) add(std::move(line));
      return std::move(frame_);
    }
    if (layout_.heading) heading();
    totals();
    table();
    if (layout_.footer) footer();
    return std::move(frame_);
  }

 private:
  // Cuts a line at the edge of the screen; lines beyond its height are dropped.
  void add(TopLine line) {
    if (frame_.lines.size() == height_) return;
    size_t left = width_;
    for (TopSpan& span : line) {
      span.text = text::clip(span.text, left);
      left -= text::width(span.text);
    }
    frame_.lines.push_back(std::move(line));
  }

  void heading() {
    const TopTotals& totals = model_.totals();
    TopLine line;
    if (totals.lost > 0)  // first, so that no narrow screen hides it
      line.push_back({TopStyle::kWarn, "LOST " + text::grouped(totals.lost) + "  "});
    line.push_back({TopStyle::kBold, "iohops top"});
    if (!totals.clock.empty())
      line.push_back({TopStyle::kPlain, " - " + text::escape(totals.clock)});
    line.push_back({TopStyle::kPlain, fmt::format("   {} process{}", totals.processes,
                                                  totals.processes == 1 ? "" : "es")});
    if (model_.frozen()) line.push_back({TopStyle::kWarn, "   FROZEN"});
    std::string order = fmt::format("   by {}{}", top_column_title(model_, model_.sort_column()),
                                    model_.ascending() ? ", lowest first" : "");
    if (model_.active_only()) order += ", active only";
    order += fmt::format(", every {} s", static_cast<double>(model_.interval().count()) / 1000);
    const std::string what = scope();
    if (!what.empty()) {
      size_t used = 3 + text::width(order);
      for (const TopSpan& span : line) used += text::width(span.text);
      const size_t room = std::max<size_t>(width_ > used ? width_ - used : 0, 20);
      line.push_back({TopStyle::kBold, "   " + text::clip_middle(what, room)});
    }
    line.push_back({TopStyle::kDim, std::move(order)});
    add(std::move(line));
  }

  // "files of postgres (4242)"; nothing for the table that is shown first.
  std::string scope() const {
    if (model_.view() == TopView::kProcesses) return {};
    const std::string of = model_.scope_title();
    return std::string(title(model_.view())) + " of " +
           (of.empty() ? "all processes" : text::escape(of, utf8_));
  }

  // Flows over the lines that there are; what does not fit is the least telling.
  void totals() {
    const std::vector<TopTotal> all = top_totals(model_);
    size_t next = 0;
    for (size_t i = 0; i < layout_.totals; ++i) {
      TopLine line;
      size_t used = 0;
      for (; next < all.size(); ++next) {
        const std::string cell = (used > 0 ? "   " : "") + all[next].text;
        if (used > 0 && used + text::width(cell) > width_) break;
        used += text::width(cell);
        line.push_back({all[next].warn ? TopStyle::kWarn : TopStyle::kPlain, cell});
      }
      add(std::move(line));
    }
  }

  void table() {
    const Columns columns = place_columns(model_, width_);
    const std::string gap(columns.gap, ' ');
    if (layout_.titles) titles(columns, gap);
    const auto selected = model_.selected();
    if (!selected) {
      add({{TopStyle::kDim, !model_.has_sample() ? "waiting for the first interval to end"
                            : !model_.filter_text().empty() ? "no name matches the filter"
                                                            : "no requests yet"}});
      fill(layout_.rows - 1);
      return;
    }
    // The selected row in the middle, as far as the ends of the table allow.
    const size_t rows = model_.rows().size();
    const size_t last_first = rows > layout_.rows ? rows - layout_.rows : 0;
    const size_t middle = layout_.rows / 2;
    const size_t first = std::min(last_first, *selected > middle ? *selected - middle : 0);
    const size_t end = std::min(rows, first + layout_.rows);
    for (size_t i = first; i < end; ++i) row(model_.rows()[i], i == *selected, columns, gap);
    fill(layout_.rows - (end - first));
  }

  void fill(size_t lines) {
    for (size_t i = 0; i < lines; ++i) add({});
  }

  void titles(const Columns& columns, const std::string& gap) {
    TopLine line;
    for (const auto& placed : columns.placed) {
      if (!line.empty()) line.push_back({TopStyle::kTitle, gap});
      const bool sorted = placed.column == model_.sort_column();
      const std::string name(top_column_title(model_, placed.column));
      line.push_back({sorted ? TopStyle::kSorted : TopStyle::kTitle, cell_text(name, placed)});
    }
    to_edge(line, TopStyle::kTitle);
    add(std::move(line));
  }

  void row(const TopRow& row, bool selected, const Columns& columns, const std::string& gap) {
    std::string whole;
    for (const auto& placed : columns.placed) {
      if (!whole.empty()) whole += gap;
      whole += cell_text(top_cell(row, placed.column, utf8_), placed);
    }
    TopLine line{{selected             ? TopStyle::kSelected
                  : row.figures.idle() ? TopStyle::kDim
                                       : TopStyle::kPlain,
                  std::move(whole)}};
    if (selected) to_edge(line, TopStyle::kSelected);
    add(std::move(line));
  }

  void to_edge(TopLine& line, TopStyle style) const {
    size_t used = 0;
    for (const TopSpan& span : line) used += text::width(span.text);
    if (used < width_) line.push_back({style, std::string(width_ - used, ' ')});
  }

  void footer() {
    const std::string filter = text::escape(model_.filter_text(), utf8_);
    if (model_.editing_filter()) {
      const std::string prompt = "filter: ";
      const auto typed = std::string_view(model_.filter_text()).substr(0, model_.filter_cursor());
      const size_t column = prompt.size() + text::width(text::escape(typed, utf8_));
      frame_.cursor = {frame_.lines.size(), std::min(column, width_ - 1)};
      add({{TopStyle::kBold, prompt}, {TopStyle::kPlain, filter}});
      return;
    }
    TopLine line;
    if (!filter.empty()) line.push_back({TopStyle::kBold, "filter: " + filter + "   "});
    std::string hints = model_.scope_title().empty() ? "" : "Esc back   ";
    if (model_.view() != TopView::kOps) hints += "Enter open   ";
    hints += "/ filter   s sort   r reverse   Space freeze   ? help   q quit";
    line.push_back({TopStyle::kDim, std::move(hints)});
    add(std::move(line));
  }

  const TopModel& model_;
  const size_t width_, height_;
  const Layout layout_;
  const bool utf8_;
  TopFrame frame_;
};

}  // namespace

size_t top_table_rows(size_t height) { return height == 0 ? 0 : lay_out(height).rows; }

TopFrame top_frame(const TopModel& model, size_t width, size_t height, bool utf8) {
  return Painter(model, width, height, utf8).paint();
}

std::string TopFrame::text() const {
  std::string all;
  for (const TopLine& line : lines) {
    std::string whole;
    for (const TopSpan& span : line) whole += span.text;
    whole.resize(whole.find_last_not_of(' ') + 1);
    all += whole + '\n';
  }
  return all;
}

}  // namespace iohops
