#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "sinks/lab.hpp"
#include "sinks/text.hpp"

namespace iohops {
namespace {

std::string of(uint64_t saved, uint64_t predicted) {
  return text::percent(static_cast<double>(saved), static_cast<double>(predicted)) + " %";
}

}  // namespace

std::string proofs_table(std::span<const ProofRow> rows, bool color, size_t columns) {
  using Align = text::Table::Align;
  const text::Paint paint(color);
  text::Table table({{"advice", Align::kLeft}, {"before", Align::kLeft}, {"after", Align::kLeft}, {"saves", Align::kLeft},
                     {"predicted"}, {"saved"}, {"of it"}, {"came true", Align::kLeft}});
  std::string notes;
  for (const ProofRow& row : rows) {
    std::string verdict = row.came_true ? paint(text::Style::kGood, "yes") : paint(text::Style::kWarn, "no");
    std::vector<std::string> names{std::string(row.proof->advice), std::string(row.proof->before),
                                   std::string(row.proof->after)};
    const auto add = [&](const char* what, std::string predicted, std::string saved, std::string part) {
      table.row({names[0], names[1], names[2], what, std::move(predicted), std::move(saved), std::move(part), verdict});
      names.assign(3, "");
      verdict.clear();
    };
    if (row.predicted_copy_bytes > 0)
      add("CPU copies", text::bytes(row.predicted_copy_bytes), text::bytes(row.saved_copy_bytes),
          of(row.saved_copy_bytes, row.predicted_copy_bytes));
    add("mode switches", text::grouped(row.predicted_switches), text::grouped(row.saved_switches),
        of(row.saved_switches, row.predicted_switches));
    notes += fmt::format("  {}: {}{}\n", row.proof->advice, row.proof->change,
                         row.why.empty() ? "" : "; " + text::escape(row.why));
  }
  std::string out;
  for (const std::string& line : table.lines(columns)) out += line + "\n";
  return out + "\n" + notes;
}

std::string proofs_json(std::span<const ProofRow> rows, const std::map<std::string, uint64_t>& lost) {
  using Json = nlohmann::ordered_json;
  Json document{{"format", "iohops-lab"}, {"version", "1.0"}, {"proofs", Json::array()}};
  for (const ProofRow& row : rows) {
    Json proof{{"advice", row.proof->advice},
               {"before", row.proof->before},
               {"after", row.proof->after},
               {"change", row.proof->change},
               {"title", row.title},
               {"predicted", {{"cpu_copy_bytes", row.predicted_copy_bytes}, {"mode_switches", row.predicted_switches}}},
               {"saved", {{"cpu_copy_bytes", row.saved_copy_bytes}, {"mode_switches", row.saved_switches}}},
               {"came_true", row.came_true}};
    if (!row.why.empty()) proof["note"] = row.why;
    document["proofs"].push_back(std::move(proof));
  }
  document["lost"] = Json(lost);
  return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace iohops
