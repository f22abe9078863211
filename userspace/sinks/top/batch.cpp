// Top's rows as plain text.
#include "sinks/top/batch.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "sinks/text.hpp"
#include "sinks/top/cells.hpp"

namespace iohops {

std::string batch_rows(const TopModel& model, const TopBatchOptions& options) {
  std::string out = "iohops top";
  if (!model.totals().clock.empty()) out += " - " + text::escape(model.totals().clock);
  out += fmt::format("  {:.1f} s", static_cast<double>(model.totals().elapsed_ns) / 1e9);
  out += fmt::format("  processes {}", model.totals().processes);
  for (const TopTotal& total : top_totals(model)) out += "  " + total.text;
  out += '\n';

  // Fields are told apart by blanks, so that awk can: none inside a figure or a title, and names,
  // which may have some, stand last.
  std::vector<TopColumn> order(model.visible_columns().begin(), model.visible_columns().end());
  std::stable_partition(order.begin(), order.end(),
                        [](TopColumn column) { return column != TopColumn::kName; });
  std::vector<text::Table::Column> columns;
  for (const TopColumn column : order) {
    std::string title(top_column_title(model, column));
    std::replace(title.begin(), title.end(), ' ', '_');
    columns.push_back({std::move(title), stands_left(column) ? text::Table::Align::kLeft
                                                             : text::Table::Align::kRight});
  }
  text::Table table(std::move(columns));
  size_t rows = 0;
  for (const TopRow& row : model.rows()) {
    if (options.max_rows > 0 && rows++ == options.max_rows) break;
    std::vector<std::string> cells;
    for (const TopColumn column : order) {
      cells.push_back(top_cell(row, column, options.utf8));
      if (column != TopColumn::kName) std::erase(cells.back(), ' ');
    }
    table.row(std::move(cells));
  }
  // Nothing is cut: whoever reads a pipe has no screen that could be too narrow.
  for (const std::string& line : table.lines(std::string::npos, 0)) out += line + '\n';
  return out;
}

}  // namespace iohops
