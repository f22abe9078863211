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
  // A sentence in lines that fit, behind what already stands on the first and blanks on the others.
  void wrapped(const std::string& first, std::string_view sentence) {
    if (sentence.empty()) return line(first.substr(0, first.find_last_not_of(' ') + 1));
    const std::string blank(text::width(first), ' ');
    std::string current = first;
    bool empty = true;
    while (!sentence.empty()) {
      const std::string_view word = sentence.substr(0, sentence.find(' '));
      sentence.remove_prefix(std::min(word.size() + 1, sentence.size()));
      if (!empty && text::width(current) + 1 + text::width(word) > width_) {
        line(current);
        current = blank;
        empty = true;
      }
      current.append(empty ? "" : " ").append(word);
      empty = false;
    }
    line(current);
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
    // The first sentence; what to do about it stands at the end of the page.
    const std::string& message = d_.error->message;
    wrapped("  ", text::escape(message.substr(0, message.find(". "))));
  }

  void facts() {
    std::string capabilities = d_.privileges.all ? "all" : "";
    for (const auto* names : {&d_.privileges.missing, &d_.privileges.wanted})
      for (const std::string& name : *names)
        capabilities += (capabilities.empty() ? "no " : ", no ") + name;
    if (d_.privileges.user_namespace) capabilities = "none outside this user namespace";
    line("");
    line(fmt::format("    {:<16}{}", "BTF", d_.host.btf ? "yes" : "no"));
    line(fmt::format("    {:<16}{}", "lockdown", name(d_.host.lockdown)));
    line(fmt::format("    {:<16}{}", "capabilities", capabilities));
    line(fmt::format("    {:<16}{}", "trial",
                     d_.tried
                         ? fmt::format("all programs loaded and attached in {:.0f} ms", d_.trial_ms)
                         : "the programs were not loaded"));
  }

  void figures() {
    // In the order of the report; a figure that cannot be known at all is missing here and stands
    // among the hooks.
    static constexpr std::string_view kFigures[] = {
        "mode_switches", "cpu_copies", "dma", "page_cache", "page_faults", "writeback", "off_cpu"};
    if (d_.evidence.empty()) return;
    heading("HOW EACH FIGURE WILL BE KNOWN, AND WHY NOT BETTER");
    for (std::string_view figure : kFigures) {
      const auto grade = d_.evidence.find(std::string(figure));
      if (grade == d_.evidence.end()) continue;
      std::string words(figure);
      std::replace(words.begin(), words.end(), '_', ' ');
      wrapped(fmt::format("    {:<16}{:<10}", words, name(grade->second.first)),
              text::escape(grade->second.second));
    }
  }

  // One row for each driver: machines have many loop devices.
  void devices() {
    if (d_.devices.empty()) return;
    heading("BLOCK DEVICES");
    Table rows({{"names", Table::Align::kLeft, true},
                {"driver", Table::Align::kLeft},
                {"data moves by", Table::Align::kLeft}});
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
                !block.device.dma ? "CPU, or the device below"
                : block.dma_api   ? "DMA, mapped by the kernel's DMA layer"
                                  : "DMA, past the kernel's DMA layer"});
    }
    table(rows);
  }

  // By name: the others stand for one hook that is missing.
  std::string copy_functions() const {
    std::set<std::string> names;
    for (const PlannedProgram& program : d_.plan.programs)
      if (program.attach != Attach::kTracepoint && !program.superseded)
        names.insert(program.tracepoint);
    std::string all;
    for (const std::string& name : names) all += (all.empty() ? "" : " ") + name;
    return all;
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
      line(fmt::format("    {:<32}{}", "hook", "without it is lost"));
      for (const PlannedProgram& program : d_.plan.programs) {
        if (!program.enabled) continue;
        const std::string& hook = program.tracepoint.empty() ? program.program : program.tracepoint;
        wrapped(fmt::format("    {:<32}", hook), program.lost);
      }
    }
    for (const MissingHook& hook : missing) {
      line("    " + paint_(Style::kWarn, "missing") + " " + text::escape(hook.hook));
      if (list && hook.hook == kCopyFunctions) wrapped("      they are: ", copy_functions());
      wrapped("      ", text::escape(hook.reason));
      wrapped("      lost: ", text::escape(hook.effect));
    }
  }

  void fixes() {
    if (d_.fixes.empty()) return;
    heading("WHAT WOULD HELP");
    for (const Fix& fix : d_.fixes) {
      wrapped("    ", text::escape(fix.problem) + ":");
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
