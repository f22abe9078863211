// The diagnosis as a page to read.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "cli/diagnosis.hpp"
#include "sinks/text.hpp"

namespace iohops {
namespace {

using text::Style;
using text::Table;

class Page {
 public:
  Page(const Diagnosis& diagnosis, bool color, size_t width)
      : d_(diagnosis), paint_(color), width_(std::max<size_t>(width, 80)) {}

  std::string write(bool list_hooks) {
    verdict();
    facts();
    figures();
    devices();
    hooks(list_hooks);
    fixes();
    return std::move(out_);
  }

 private:
  void line(std::string_view text) { out_.append(text).append("\n"); }
  void heading(std::string_view text) {
    out_ += "\n";
    line("  " + paint_(Style::kBold, text));
  }
  void table(const Table& rows) {
    for (const std::string& row : rows.lines(width_, 4)) line(row);
  }
  // Words of a sentence in lines that fit, behind an indentation.
  void wrapped(std::string_view text, size_t indent) {
    const std::string blank(indent, ' ');
    std::string current;
    while (!text.empty()) {
      const std::string_view word = text.substr(0, text.find(' '));
      text.remove_prefix(std::min(word.size() + 1, text.size()));
      if (!current.empty() && indent + current.size() + 1 + word.size() > width_) {
        line(blank + current);
        current.clear();
      }
      current.append(current.empty() ? "" : " ").append(word);
    }
    if (!current.empty()) line(blank + current);
  }

  void verdict() {
    const std::string where =
        fmt::format("iohops {} on Linux {} {}: ", IOHOPS_VERSION, d_.host.kernel, d_.host.machine);
    if (d_.possible()) {
      line(where + paint_(Style::kGood, "tracing is possible"));
      return;
    }
    line(where + paint_(Style::kWarn, d_.error->kind == ErrorKind::kPermission
                                          ? "you may not trace"
                                          : "tracing is not possible"));
    // What setcap would do stands among the fixes.
    const std::string& message = d_.error->message;
    wrapped(text::escape(message.substr(0, message.find('\n'))), 2);
  }

  void facts() {
    Table facts({{"", Table::Align::kLeft}, {"", Table::Align::kLeft, true}});
    facts.row({"BTF", d_.host.btf ? "yes" : "no"});
    facts.row({"lockdown", std::string(name(d_.host.lockdown))});
    std::string capabilities = d_.privileges.all ? "all" : "";
    for (const std::string& missing : d_.privileges.missing) capabilities += "no " + missing + "  ";
    for (const std::string& wanted : d_.privileges.wanted) capabilities += "no " + wanted + "  ";
    if (d_.privileges.user_namespace) capabilities = "none outside this user namespace";
    facts.row({"capabilities", capabilities});
    facts.row({"trial",
               d_.tried ? fmt::format("all programs loaded and attached in {:.0f} ms", d_.trial_ms)
                        : "the programs were not loaded"});
    out_ += "\n";
    table(facts);
  }

  void figures() {
    if (d_.evidence.empty()) return;
    heading("HOW EACH FIGURE WILL BE KNOWN");
    Table rows(
        {{"", Table::Align::kLeft}, {"", Table::Align::kLeft}, {"", Table::Align::kLeft, true}});
    size_t widest = 0;
    for (const auto& [figure, grade] : d_.evidence) widest = std::max(widest, figure.size());
    for (const auto& [figure, grade] : d_.evidence) {
      std::string words = figure;
      std::replace(words.begin(), words.end(), '_', ' ');
      line(fmt::format("    {:<{}}  {}", words, widest, name(grade.first)));
      if (!grade.second.empty()) wrapped(grade.second, widest + 6 + 2);
    }
  }

  // One row for each driver: machines have many loop devices.
  void devices() {
    if (d_.devices.empty()) return;
    heading("BLOCK DEVICES");
    Table rows(
        {{"", Table::Align::kLeft, true}, {"", Table::Align::kLeft}, {"", Table::Align::kLeft}});
    std::set<std::string> drivers;
    for (const BlockDevice& block : d_.devices) {
      if (block.device.disk != 0 || !drivers.insert(block.device.driver).second) continue;
      std::string names;
      size_t more = 0;
      for (const BlockDevice& other : d_.devices) {
        if (other.device.disk != 0 || other.device.driver != block.device.driver) continue;
        if (names.size() > 20)
          ++more;
        else
          names += (names.empty() ? "" : ", ") + other.device.name;
      }
      if (more != 0) names += fmt::format(" and {} more", more);
      rows.row({text::escape(names), text::escape(block.device.driver),
                !block.device.dma ? "no DMA"
                : block.dma_api   ? "DMA through the kernel's DMA layer"
                                  : "DMA, past the kernel's DMA layer"});
    }
    table(rows);
  }

  void hooks(bool list) {
    const size_t usable = d_.plan.hooks().size();
    const std::vector<MissingHook> missing = d_.plan.missing();
    if (d_.plan.programs.empty()) return;
    heading("HOOKS");
    line(fmt::format("    {} of {} can be {}{}", usable, usable + missing.size(),
                     d_.tried ? "attached" : "attached, as far as the kernel's types tell",
                     list ? "" : "; iohops doctor --hooks lists them"));
    if (list) {
      Table rows(
          {{"", Table::Align::kLeft}, {"", Table::Align::kLeft}, {"", Table::Align::kLeft, true}});
      for (const PlannedProgram& program : d_.plan.programs)
        if (program.enabled)
          rows.row({program.tracepoint.empty() ? "-" : program.tracepoint, program.program,
                    program.lost});
      table(rows);
    }
    for (const MissingHook& hook : missing) {
      line("    " + paint_(Style::kWarn, "missing") + " " + text::escape(hook.hook));
      wrapped(text::escape(hook.reason), 6);
      wrapped("lost: " + text::escape(hook.effect), 6);
    }
  }

  void fixes() {
    if (d_.fixes.empty()) return;
    heading("TO GET MORE");
    for (const Fix& fix : d_.fixes) {
      wrapped(text::escape(fix.problem) + ":", 4);
      line("      " + fix.line);
    }
  }

  const Diagnosis& d_;
  text::Paint paint_;
  size_t width_;
  std::string out_;
};

}  // namespace

std::string diagnosis_text(const Diagnosis& diagnosis, bool list_hooks, bool color, size_t width) {
  return Page(diagnosis, color, width).write(list_hooks);
}

}  // namespace iohops
