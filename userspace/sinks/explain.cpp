#include "sinks/explain.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "sinks/json_text.hpp"
#include "sinks/text.hpp"

namespace iohops {
namespace {

using text::Style;

constexpr size_t kBarLeast = 20;    // columns of the picture
constexpr size_t kTimeColumns = 9;  // "84.2 us"
constexpr size_t kTextColumns = 46;

std::string id_text(const RequestId& id) { return fmt::format("{}.{}", id.pid, id.seq); }

// One line of the picture.
struct Row {
  uint64_t begin_ns, end_ns;  // since the request began
  char mark;
  std::string what;
};

std::string verb(std::string_view op) {
  if (op == "flush") return "flushes";
  return std::string(op) + "s";
}

std::string count(uint64_t n, std::string_view what, std::string_view ending = "s") {
  return fmt::format("{} {}{}", text::grouped(n), what, n == 1 ? "" : ending);
}

}  // namespace

Status SlowestRequests::request(const Request& request) {
  if (slowest_.wants(request.duration_ns)) slowest_.add({request.duration_ns, request.id});
  return {};
}

std::vector<RequestId> SlowestRequests::ids() {
  std::vector<RequestId> ids;
  for (const Slow& slow : slowest_.sorted()) ids.push_back(slow.id);
  return ids;
}

// The lines about one request.
class Explanation::Page {
 public:
  Page(const Explanation& of, const Case& what)
      : of_(of), case_(what), request_(what.request), paint_(of.options_.color) {
    const size_t rest =
        of.options_.width - std::min(of.options_.width, 2 * kTimeColumns + kTextColumns + 8);
    bar_ = std::max(kBarLeast, rest);
  }

  std::string text() {
    headline();
    for (const Row& row : rows()) line(row);
    figures();
    readahead();
    bill();
    later();
    return out_;
  }

 private:
  std::string escape(std::string_view raw) const { return text::escape(raw, of_.options_.utf8); }

  std::string device(uint32_t id) const {
    const auto known = of_.devices_.find(id);
    return known != of_.devices_.end() ? escape(known->second) : "a device";
  }

  std::string file_name(uint32_t id) const {
    const auto known = of_.files_.find(id);
    return known != of_.files_.end() ? escape(known->second) : "";
  }

  // What others did for it, each kind once.
  void later() {
    struct Sum {
      const Case::Later* first;
      bool during;
      uint64_t times = 0, bytes = 0, longest_ns = 0;
    };
    std::vector<Sum> sums;
    const uint64_t end = request_.start_ns + request_.duration_ns;
    for (const Case::Later& one : case_.later) {
      const bool waited_for = one.cause == Cause::kJournal || one.cause == Cause::kFlush;
      const bool during = waited_for || one.at_ns < end;
      auto sum = std::find_if(sums.begin(), sums.end(), [&](const Sum& known) {
        return known.during == during && known.first->cause == one.cause && known.first->reason == one.reason;
      });
      if (sum == sums.end()) sum = sums.insert(sum, Sum{&one, during});
      ++sum->times;
      sum->bytes += one.bytes;
      sum->longest_ns = std::max(sum->longest_ns, one.delay_ns);
    }
    for (const Sum& sum : sums) later(*sum.first, sum.during, sum.times, sum.bytes, sum.longest_ns);
  }

  void later(const Case::Later& what, bool during, uint64_t times, uint64_t bytes, uint64_t longest_ns) {
    const std::string reason = escape(text::words(what.reason));
    if (what.cause == Cause::kJournal || what.cause == Cause::kFlush) {
      out_ += "  while it ran: " + reason + (times > 1 ? fmt::format(", {} times", times) : "") +
              (bytes > 0 ? ", its share " + text::bytes(bytes) : "") + "\n";
      return;
    }
    out_ += fmt::format("  {}: {} of it moved by {}{}{}{}\n", during ? "while it ran" : "later", text::bytes(bytes),
                        text::words(name(what.cause)), reason.empty() ? "" : " (" + reason + ")",
                        times > 1 ? fmt::format(" in {} transfers", times) : "",
                        during ? "" : ", " + text::duration(longest_ns) + " after it");
  }

  void readahead() {
    for (const Share& share : request_.readahead_of)
      out_ += fmt::format("  {} of it had been read ahead for {}\n", text::bytes(share.bytes), id_text(share.request));
    if (case_.served.bytes > 0)
      out_ += fmt::format("  later: {} of its readahead served {}\n", text::bytes(case_.served.bytes),
                          case_.served.text());
  }

  // What it made devices write, of whose data, and for how much journal.
  void bill() {
    uint64_t data = 0, journal = 0, flushes = 0;
    for (const Case::Work& work : case_.works) {
      const Transfer& t = work.transfer;
      if (t.carried_on) continue;  // counted at the bottom
      flushes += t.cause == Cause::kFlush;
      for (const Share& owner : t.owners) {
        if (owner.request != request_.id) continue;
        if (t.cause == Cause::kFsync) data += owner.bytes;
        if (t.cause == Cause::kJournal) journal += owner.bytes;
      }
    }
    if (data + journal + flushes == 0) return;
    out_ += fmt::format("  its bill: file data {}, journal {}, {}", text::bytes(data), text::bytes(journal),
                        count(flushes, "flush", "es"));
    if (data > 0)
      out_ += fmt::format(": {} bytes to the device for each byte of data",
                          text::ratio(static_cast<double>(data + journal) / static_cast<double>(data)));
    out_ += "\n";
    if (case_.written.bytes > 0)
      out_ += fmt::format("  {} of the data had been written by {}\n", text::bytes(case_.written.bytes),
                          case_.written.text());
  }

  void headline() {
    const Request& r = request_;
    std::string call = escape(r.op) + "(" + file_name(r.file);
    // Of other calls it may count something else: epoll_wait's events.
    const bool in_bytes = r.moves_data || r.offset.has_value();
    if (r.requested && in_bytes)
      call += fmt::format("{}{}", r.file != 0 ? ", " : "", text::bytes(*r.requested));
    if (r.offset) call += " at " + text::grouped(*r.offset);
    call += ")";
    if (r.ended.empty()) call += " = " + result();
    out_ += paint_(Style::kBold, "request " + id_text(r.id)) + "   " + call + "   " +
            std::string(text::words(name(r.path))) + ", " +
            std::string(text::words(name(r.cache))) + "   " + text::duration(r.duration_ns) + "\n";
    out_ += fmt::format("  {}, thread {}, {} after the trace began", escape(r.comm), r.tid,
                        text::duration(r.start_ns));
    if (r.ring && r.ring->batch) out_ += ", submitted by " + id_text(*r.ring->batch);
    out_ += "\n\n";
  }

  std::string result() const {
    if (request_.result >= 0) return text::grouped(static_cast<uint64_t>(request_.result));
    const std::string_view error = errno_name(request_.result);
    return error.empty() ? fmt::format("{}", request_.result) : std::string(error);
  }

  uint64_t since(uint64_t ns) const { return ns > request_.start_ns ? ns - request_.start_ns : 0; }

  void add_work(std::vector<Row>& rows, const Case::Work& work) const {
    const Transfer& t = work.transfer;
    uint64_t share = 0;
    for (const Share& owner : t.owners)
      if (owner.request == request_.id) share += owner.bytes;
    const std::string disk = device(t.device);
    if (t.queue_ns && t.issue_ns && *t.issue_ns > *t.queue_ns)
      rows.push_back(
          {since(*t.queue_ns), since(*t.issue_ns), 'q', "waits in the queue of " + disk});
    std::string what = disk + " " + verb(escape(work.op));
    if (t.bytes > 0) what += " " + text::bytes(t.bytes);
    if (share != t.bytes) what += fmt::format(", {} of it for this request", text::bytes(share));
    what += fmt::format(" ({}; {})", text::words(name(t.cause)), name(t.dma.evidence));
    if (!t.dma.dma) what += ", no DMA";
    if (const Transfer* above = parent_of(t)) what += ", for " + device(above->device);
    for (const StageCopy& copy : t.copies)
      what += fmt::format(", copies {} {} > {}", text::bytes(copy.bytes), text::words(name(copy.from)),
                          text::words(name(copy.to)));
    if (t.error != 0) what += fmt::format(", error {}", -t.error);
    if (t.requeues > 0) what += ", asked again " + count(t.requeues, "time");
    const uint64_t issued = t.issue_ns ? *t.issue_ns : t.queue_ns.value_or(t.complete_ns);
    rows.push_back({since(issued), since(t.complete_ns), '#', what});
  }

  // The transfer of the device above that it carries on.
  const Transfer* parent_of(const Transfer& transfer) const {
    for (const Parent& parent : transfer.parents)
      for (const Case::Work& work : case_.works)
        if (work.transfer.id == parent.transfer) return &work.transfer;
    return nullptr;
  }

  bool has_transfer(uint64_t id) const {
    return std::any_of(case_.works.begin(), case_.works.end(),
                       [&](const Case::Work& work) { return work.transfer.id == id; });
  }

  void add_hop(std::vector<Row>& rows, const Hop& hop) const {
    const auto way = fmt::format("{} > {}", text::words(name(hop.from)), text::words(name(hop.to)));
    switch (hop.kind) {
      case HopKind::kWait:
        rows.push_back({since(hop.at_ns), since(hop.end_ns), '.',
                        fmt::format("off the CPU: {}", text::words(name(hop.reason)))});
        return;
      case HopKind::kDma:
        if (!has_transfer(hop.transfer))
          rows.push_back(
              {since(hop.at_ns), since(hop.end_ns), '#',
               fmt::format("DMA {} {} ({})", way, text::bytes(hop.bytes), name(hop.evidence))});
        return;
      case HopKind::kCpuCopy:
        if (hop.transfer != 0 && has_transfer(hop.transfer)) return;  // its row tells
        rows.push_back(
            {since(hop.at_ns), since(hop.end_ns), '+',
             fmt::format("CPU copy {} {} ({})", way, text::bytes(hop.bytes), name(hop.evidence))});
        return;
      default:
        rows.push_back({since(hop.at_ns), since(hop.end_ns), '=',
                        fmt::format("{} {} {} ({})", text::words(name(hop.kind)), way,
                                    text::bytes(hop.bytes), name(hop.evidence))});
    }
  }

  std::vector<Row> rows() const {
    std::vector<Row> rows;
    for (const Case::Work& work : case_.works) add_work(rows, work);
    for (const Hop& hop : request_.hops)
      if (hop.kind != HopKind::kModeSwitch) add_hop(rows, hop);
    std::stable_sort(rows.begin(), rows.end(),
                     [](const Row& a, const Row& b) { return a.begin_ns < b.begin_ns; });
    if (request_.mode_switches > 0) rows.insert(rows.begin(), {0, 0, '>', "into the kernel"});
    if (request_.mode_switches > 1)
      rows.push_back({request_.duration_ns, request_.duration_ns, '<',
                      fault() ? "the last that was seen of it: a page fault's end is not"
                              : "back in user space"});
    return rows;
  }

  bool fault() const { return request_.submit == Submit::kPageFault; }

  // What happens after the request has its place at the right edge.
  size_t column(uint64_t ns) const {
    const uint64_t span = std::max<uint64_t>(request_.duration_ns, 1);
    const double share = static_cast<double>(std::min(ns, span)) / static_cast<double>(span);
    return std::min(bar_ - 1, static_cast<size_t>(share * static_cast<double>(bar_)));
  }

  void line(const Row& row) {
    const size_t first = column(row.begin_ns);
    const size_t last = std::max(first, column(row.end_ns));
    std::string bar(bar_, ' ');
    std::fill(bar.begin() + static_cast<std::ptrdiff_t>(first),
              bar.begin() + static_cast<std::ptrdiff_t>(last) + 1, row.mark);
    const std::string took =
        row.end_ns > row.begin_ns ? text::duration(row.end_ns - row.begin_ns) : "";
    out_ += fmt::format("  {} {} |{}| {}{}\n",
                        text::pad_left(text::duration(row.begin_ns), kTimeColumns),
                        text::pad_left(took, kTimeColumns), bar, row.what,
                        row.begin_ns > request_.duration_ns ? " (after it)" : "");
  }

  std::string per_byte(uint64_t bytes) const {
    const uint64_t returned = request_.returned_bytes();
    return returned == 0 ? text::bytes(bytes)
                         : text::ratio(static_cast<double>(bytes) / static_cast<double>(returned)) +
                               " per byte";
  }

  void figures() {
    const Request& r = request_;
    out_ +=
        fmt::format("\n  {}   {}   {} CPU {}", count(r.mode_switches, "mode switch", "es"),
                    count(r.voluntary_switches + r.involuntary_switches, "context switch", "es"),
                    r.cpu_copies, r.cpu_copies == 1 ? "copy" : "copies");
    if (r.cpu_copies > 0) out_ += " (" + per_byte(r.cpu_copy_bytes) + ")";
    out_ += fmt::format("   {} DMA", r.dma_transfers);
    if (r.dma_transfers > 0) out_ += " (" + per_byte(r.dma_bytes) + ")";
    out_ += "\n";
    if (r.readahead_bytes > 0)
      out_ += fmt::format("  {} beyond it were read ahead\n", text::bytes(r.readahead_bytes));
    const bool bounded = std::any_of(r.hops.begin(), r.hops.end(), [](const Hop& hop) {
      return hop.kind == HopKind::kCpuCopy || hop.kind == HopKind::kMap ||
             hop.kind == HopKind::kRef;
    });
    if (bounded)
      out_ += note(
          "the bar of a copy (+), a map or a ref (=) is where it can have happened; its own time "
          "is not measured");
    if (!r.ended.empty())
      out_ += paint_(Style::kWarn, "  it did not return: " + escape(r.ended)) + "\n";
    if (!r.complete)
      out_ += paint_(Style::kWarn,
                     "  something of this request was not seen: its figures may be too low") +
              "\n";
  }

  std::string note(std::string_view text) const {
    return paint_(Style::kDim, "  " + std::string(text)) + "\n";
  }

  const Explanation& of_;
  const Case& case_;
  const Request& request_;
  text::Paint paint_;
  size_t bar_;
  std::string out_;
};

std::string Explanation::text() const {
  std::string out;
  for (const RequestId& id : wanted_) {
    if (!out.empty()) out += "\n";
    out += Page(*this, cases_.at(id)).text();
  }
  if (truncated_) out += "\nthe recording was cut short: what came after its end is missing here\n";
  return out;
}

}  // namespace iohops
