#include "cli/record_words.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>

#include "sinks/ring_advice.hpp"
#include "sinks/text.hpp"

namespace iohops {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;

std::string size_of(const std::string& path) {
  struct stat facts {};
  if (path == "-" || stat(path.c_str(), &facts) || !S_ISREG(facts.st_mode)) return {};
  return fmt::format(" ({})", text::bytes(static_cast<uint64_t>(facts.st_size)));
}

}  // namespace

void RecordWords::start(const Header& header, const std::vector<TargetProcess>& targets,
                        size_t missing) const {
  if (quiet()) return;
  std::string what;
  for (const Target& target : header.targets) {
    if (!what.empty()) what += ", ";
    what += fmt::format("{} ({})", text::escape(target.comm), target.pid);
  }
  if (targets.size() == 1) {
    const size_t threads = targets.front().threads.size();
    what = fmt::format("{} ({}, {} thread{})", text::escape(targets.front().comm),
                       targets.front().pid, threads, threads == 1 ? "" : "s");
  }
  if (options_.target.all) what = "every process but this one";
  if (header.light) {
    fmt::print(stderr, "iohops: tracing {} without system calls - {} hooks - Ctrl-C to stop\n", what,
               header.hooks.size());
    return;
  }
  fmt::print(stderr, "iohops: tracing {} - {} of {} hooks{} - Ctrl-C to stop\n", what,
             header.hooks.size(), header.hooks.size() + missing,
             missing ? " (iohops doctor tells what is missing)" : "");
}

void RecordWords::progress(uint64_t elapsed_ns, uint64_t requests, const Capture& capture,
                           const Spool& spool) {
  if (quiet() || !isatty(STDERR_FILENO) || elapsed_ns - told_ns_ < kSecond) return;
  told_ns_ = elapsed_ns;
  const uint64_t waiting = spool.backlog_bytes();
  fmt::print(stderr, "\r  {} s  {} requests  lost {}  ring {:.0f} %  trace {}{}\x1b[K",
             elapsed_ns / kSecond, requests, capture.lost(), capture.ring_percent(),
             text::bytes(spool.appended_bytes()),
             waiting < spool.memory_bytes() ? "" : fmt::format(" ({} not written yet)", text::bytes(waiting)));
  std::fflush(stderr);
}

void RecordWords::backlog(uint64_t bytes) const {
  if (quiet()) return;
  fmt::print(stderr, "\niohops: writing {} that were captured faster than written\n",
             text::bytes(bytes));
}

void RecordWords::end(const Summary& summary, uint64_t ring_bytes) const {
  if (quiet()) return;
  if (told_ns_) fmt::print(stderr, "\r\x1b[K");
  const bool json = !options_.output.empty();
  const std::string& path = json ? options_.output : options_.raw;
  const std::string listed =
      summary.left_out == 0 ? "" : " (" + text::grouped(summary.requests - summary.left_out) + " listed)";
  fmt::print(stderr, "iohops: {:.1f} s, {} {}{}, {} lost",
             static_cast<double>(summary.duration_ns) / 1e9, text::grouped(summary.requests),
             summary.light ? "page faults" : "requests", listed,
             text::grouped(summary.lost_total()));
  if (path != "-") {
    fmt::print(stderr, " -> {}{}. Next: iohops {} {}", text::escape(path), size_of(path),
               json ? "report" : "replay", text::escape(path));
  }
  fmt::print(stderr, "\n");
  for (const auto& [cause, count] : summary.lost) {
    if (count) fmt::print(stderr, "iohops: lost {}: {}\n", cause, text::grouped(count));
  }
  if (summary.overhead.ring_wanted_bytes) {
    fmt::print(stderr, "iohops: rings of {} were full: {}\n", text::bytes(ring_bytes),
               ring_advice(summary.overhead.ring_wanted_bytes));
  }
}

}  // namespace iohops
