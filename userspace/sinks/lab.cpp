#include "sinks/lab.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "sinks/text.hpp"

namespace iohops {
namespace {

std::string number(double value) {
  return value == static_cast<uint64_t>(value) ? fmt::format("{}", static_cast<uint64_t>(value))
                                               : fmt::format("{:.1f}", value);
}

// "2 copies, 1 + 1 DMA, 4 switches": the second DMA is a network card's.
std::string textbook(const Textbook& book) {
  std::string text = number(book.cpu_copies) + " CPU, " + number(book.dma);
  if (book.nic_dma > 0) text += "+" + number(book.nic_dma);
  text += " DMA";
  if (book.switches) text += ", " + number(*book.switches) + " sw/round";
  return text;
}

std::string agreement(const LabRow& row, const text::Paint& paint) {
  if (!row.skipped.empty()) return paint(text::Style::kDim, "skipped");
  return row.verdict.agrees ? paint(text::Style::kGood, "yes") : paint(text::Style::kWarn, "no");
}

std::vector<std::string> cells(const LabRow& row, const text::Paint& paint) {
  const std::string unknown(text::kUnknown);
  std::vector<std::string> cells{std::string(row.path->name)};
  if (row.skipped.empty()) {
    const LabFigures& f = row.figures;
    cells.push_back(fmt::format("{:.2f}", f.copies_per_byte()));
    cells.push_back(fmt::format("{:.2f}", f.dma_per_byte()));
    cells.push_back(fmt::format("{:.1f}", f.switches_per_mib()));
    cells.push_back(fmt::format("{:.1f}", f.switches_per_round()));
    cells.push_back(text::duration(f.duration_ns));
  } else {
    cells.insert(cells.end(), 5, unknown);
  }
  cells.push_back(textbook(row.path->textbook));
  cells.push_back(agreement(row, paint));
  return cells;
}

void add_notes(std::string& out, std::span<const LabRow> rows) {
  // Many rows can have the same to say: once, with their names.
  std::vector<std::pair<std::string, std::string>> notes;
  for (const LabRow& row : rows) {
    const std::string& note = row.skipped.empty() ? row.verdict.why : row.skipped;
    if (note.empty()) continue;
    const auto known = std::find_if(notes.begin(), notes.end(),
                                    [&](const auto& other) { return other.first == note; });
    if (known == notes.end())
      notes.emplace_back(note, row.path->name);
    else
      known->second += ", " + std::string(row.path->name);
  }
  if (!notes.empty()) out += "\n";
  for (const auto& [note, names] : notes)
    out += fmt::format("  {}: {}\n", names, text::escape(note));
}

}  // namespace

std::string lab_table(std::span<const LabRow> rows, bool color, size_t columns) {
  using Align = text::Table::Align;
  const text::Paint paint(color);
  text::Table table({{"path", Align::kLeft},
                     {"CPU copies/byte"},
                     {"DMA/byte"},
                     {"switches/MiB"},
                     {"per round"},
                     {"time"},
                     {"textbook says", Align::kLeft},
                     {"agrees", Align::kLeft}});
  for (const LabRow& row : rows) table.row(cells(row, paint));
  std::string out;
  for (const std::string& line : table.lines(columns)) out += line + "\n";
  add_notes(out, rows);
  return out;
}

std::string lab_json(std::span<const LabRow> rows, const std::map<std::string, uint64_t>& lost) {
  using Json = nlohmann::ordered_json;
  Json document{{"format", "iohops-lab"}, {"version", "1.0"}, {"paths", Json::array()}};
  for (const LabRow& row : rows) {
    const LabFigures& f = row.figures;
    const Textbook& book = row.path->textbook;
    Json path{{"name", row.path->name}, {"summary", row.path->summary}};
    path["textbook"] = {
        {"cpu_copies", book.cpu_copies}, {"dma", book.dma}, {"nic_dma", book.nic_dma}};
    path["textbook"]["switches_per_round"] = book.switches ? Json(*book.switches) : Json();
    if (!row.skipped.empty()) {
      path["skipped"] = row.skipped;
    } else {
      path["did"] = row.said;
      path["bytes"] = f.bytes;
      path["rounds"] = f.rounds;
      path["requests"] = f.requests;
      path["cpu_copy_bytes"] = f.cpu_copy_bytes;
      path["dma_bytes"] = f.dma_bytes;
      path["mode_switches"] = f.mode_switches;
      path["duration_ns"] = f.duration_ns;
      path["cpu_copies_per_byte"] = f.copies_per_byte();
      path["dma_per_byte"] = f.dma_per_byte();
      path["switches_per_mib"] = f.switches_per_mib();
      path["switches_per_round"] = f.switches_per_round();
      path["complete"] = f.complete;
      path["agrees"] = row.verdict.agrees;
      if (!row.verdict.why.empty()) path["note"] = row.verdict.why;
    }
    document["paths"].push_back(std::move(path));
  }
  document["lost"] = Json(lost);
  return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string lab_list() {
  size_t widest = 0;
  for (const LabPath& path : lab_paths()) widest = std::max(widest, path.name.size());
  std::string out;
  for (const LabPath& path : lab_paths())
    out += fmt::format("  {:{}}  {}\n", path.name, widest, path.summary);
  return out;
}

}  // namespace iohops
