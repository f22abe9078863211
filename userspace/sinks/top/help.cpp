// Writes the help page of top. Short enough for a screen of 24 lines.
#include "sinks/top/help.hpp"

#include "sinks/text.hpp"

namespace iohops {
namespace {

struct Key {
  const char* keys;
  const char* meaning;
};

constexpr Key kKeys[] = {
    {"arrows j k PgUp PgDn Home End", "move; Home follows the first row"},
    {"Enter, Esc", "open a row (its files, then operations); go back"},
    {"1 2 3, Tab", "processes, files, operations; the next of them"},
    {"< > s, r", "sort by the column before or after; reverse"},
    {"/", "show only names that contain a text"},
    {"o", "show only what was active"},
    {"Space", "freeze the picture (counting goes on)"},
    {"+ -", "longer or shorter intervals"},
    {"q", "quit"},
};

}  // namespace

std::vector<TopLine> top_help() {
  std::vector<TopLine> lines;
  lines.push_back({{TopStyle::kTitle, "Keys"}, {TopStyle::kDim, "   (any key closes this page)"}});
  for (const Key& key : kKeys)
    lines.push_back(
        {{TopStyle::kBold, "  " + text::pad_right(key.keys, 30)}, {TopStyle::kPlain, key.meaning}});
  lines.push_back({{TopStyle::kTitle, "Columns, of one interval"}});
  for (const TopColumnInfo& column : top_columns()) {
    if (column.column == TopColumn::kPid || column.column == TopColumn::kName) continue;
    lines.push_back({{TopStyle::kBold, "  " + text::pad_right(column.title, 9)},
                     {TopStyle::kPlain, std::string(column.help)}});
  }
  return lines;
}

}  // namespace iohops
