// pipeline [--requests N] [--rounds N] [--grow N] [--raw FILE] [WORKLOAD...]: what a request costs
// behind the rings, in nanoseconds of CPU of one thread, for traces that are made up in memory
// (traces.hpp).
//
// Each column is a part of what a recording does with a record: check it, put it in order, rebuild
// the request, add it up, look for advice, write it as JSON Lines (to nobody), and read that line
// again. A part that needs those before it is measured with them, and they are taken off. The least
// of the rounds counts: everything else that runs on the machine only adds. --grow runs N requests
// through all of it and shows what the first and the last tenth of them cost and how much memory is
// in use then: what grows with a trace shows there.
// --raw writes the requests as a raw recording instead, for iohops replay.
#include <fmt/format.h>
#include <malloc.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cli/conversion.hpp"
#include "core/advice/advisor.hpp"
#include "core/order.hpp"
#include "core/raw.hpp"
#include "core/summarizer.hpp"
#include "sinks/fanout.hpp"
#include "sinks/json_header.hpp"
#include "sinks/json_reader.hpp"
#include "sinks/json_writer.hpp"
#include "sinks/report.hpp"
#include "tools/bench/traces.hpp"

namespace iohops::bench {
namespace {

constexpr size_t kBatch = 2048;  // requests: about a chunk of the spool

double cpu_ns() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

[[noreturn]] void fail(const std::string& why) {
  fmt::print(stderr, "pipeline: {}\n", why);
  std::exit(1);
}

void check(const Status& status) {
  if (!status) fail(status.error().message);
}

template <typename F>
void each_record(std::span<const std::byte> records, F&& f) {
  for (Record rest = records; !rest.empty();) {
    Result<Record> record = next_record(rest);
    if (!record) fail(record.error().message);
    f(*record);
  }
}

// Counts, and keeps what it got if it is to be read again.
struct Nowhere : ByteWriter {
  explicit Nowhere(bool keep) : keeps(keep) {}
  Status write(std::string_view more) override {
    bytes += more.size();
    if (keeps) text.append(more);
    return {};
  }
  Status close() override { return {}; }
  bool keeps;
  uint64_t bytes = 0;
  std::string text;
};

struct Text : ByteReader {
  explicit Text(std::string_view all) : rest(all) {}
  Result<size_t> read(std::span<char> into) override {
    const size_t size = std::min(into.size(), rest.size());
    std::memcpy(into.data(), rest.data(), size);
    rest.remove_prefix(size);
    return size;
  }
  std::string_view rest;
};

using Feed = std::function<void(std::span<const std::byte>)>;

// Nanoseconds per request of `feed`, the making of the records not counted.
double cost(Kind kind, uint64_t requests, const Feed& feed) {
  Trace trace(kind);
  double spent = 0;
  while (trace.requests() < requests) {
    const auto records = trace.next(kBatch);
    const double before = cpu_ns();
    feed(records);
    spent += cpu_ns() - before;
  }
  return spent / static_cast<double>(trace.requests());
}

double decode(Kind kind, uint64_t requests) {
  return cost(kind, requests, [](auto records) {
    each_record(records, [](Record record) { check(check_record(record)); });
  });
}

double order(Kind kind, uint64_t requests) {
  Orderer orderer;
  return cost(kind, requests, [&](auto records) {
    each_record(records, [&](Record record) {
      if (!orderer.push(record, 0)) fail("the orderer is full");
    });
    check(orderer.release(WIRE_UNKNOWN, [](Record) { return Status(); }));
  });
}

double rebuild(Kind kind, uint64_t requests, Sink& sink) {
  Rebuilder rebuilder(rebuild_context(header(), kStart), sink);
  return cost(kind, requests, [&](auto records) {
    each_record(records, [&](Record record) { check(rebuilder.feed(record)); });
  });
}

double convert(Kind kind, uint64_t requests, Nowhere& out) {
  JsonWriter json(out, Form::kLines);
  Conversion conversion(header(), kStart, {}, &json);
  check(conversion.begin());
  const double each = cost(kind, requests, [&](auto records) {
    each_record(records, [&](Record record) { check(conversion.feed(record)); });
  });
  if (out.keeps) {
    each_record(Trace(kind).end(), [&](Record record) { check(conversion.feed(record)); });
    if (auto summary = conversion.finish(); !summary) fail(summary.error().message);
  }
  return each;
}

double read_back(std::string_view text, uint64_t requests) {
  Nowhere page(false);
  TextReport report(page);
  Text input(text);
  const double before = cpu_ns();
  check(read_json(input, report));
  return (cpu_ns() - before) / static_cast<double>(requests);
}

struct Costs {
  double decode = 1e9, order = 1e9, rebuild = 1e9, summary = 1e9, advice = 1e9, all = 1e9,
         report = 1e9;
  double bytes = 0;
};

Costs measure(Kind kind, uint64_t requests, unsigned rounds) {
  Costs least;
  const auto keep = [](double& smallest, double now) { smallest = std::min(smallest, now); };
  for (unsigned round = 0; round < rounds; ++round) {
    keep(least.decode, decode(kind, requests));
    keep(least.order, order(kind, requests));
    Sink nobody;
    keep(least.rebuild, rebuild(kind, requests, nobody));
    Summarizer summarizer;
    keep(least.summary, rebuild(kind, requests, summarizer));
    Advisor advisor;
    Summarizer another;
    Fanout both({&another, &advisor});
    keep(least.advice, rebuild(kind, requests, both));
    Nowhere out(false);
    keep(least.all, convert(kind, requests, out));
    least.bytes = static_cast<double>(out.bytes) / static_cast<double>(requests);
    Nowhere kept(true);
    const uint64_t some = std::min<uint64_t>(requests, 200'000);
    convert(kind, some, kept);
    keep(least.report, read_back(kept.text, some));
  }
  return least;
}

void show_costs(const std::vector<Named>& kinds, uint64_t requests, unsigned rounds) {
  fmt::print("{} requests of each kind, the least of {} rounds; ns of CPU per request\n", requests,
             rounds);
  fmt::print("  {:<9}{:>8}{:>8}{:>9}{:>9}{:>8}{:>7}{:>8}{:>10}{:>9}{:>12}\n", "", "decode", "order",
             "rebuild", "summary", "advice", "JSON", "all", "M req/s", "B/line", "report");
  for (const Named& named : kinds) {
    const Costs c = measure(named.kind, requests, rounds);
    fmt::print(
        "  "
        "{:<9}{:>8.1f}{:>8.1f}{:>9.1f}{:>9.1f}{:>8.1f}{:>7.1f}{:>8.1f}{:>10.2f}{:>9.0f}{:>12.0f}\n",
        named.name, c.decode, c.order, c.rebuild - c.decode, c.summary - c.rebuild,
        c.advice - c.summary, c.all - c.advice, c.all, 1e3 / c.all, c.bytes, c.report);
    std::fflush(stdout);
  }
}

void show_growth(const std::vector<Named>& kinds, uint64_t requests) {
  fmt::print("{} requests through all of it: ns of CPU per request and heap in use\n", requests);
  fmt::print("  {:<9}{:>14}{:>14}{:>16}{:>16}\n", "", "first tenth", "last tenth", "MiB after it",
             "MiB at the end");
  for (const Named& named : kinds) {
    Nowhere out(false);
    JsonWriter json(out, Form::kLines);
    Conversion conversion(header(), kStart, {}, &json);
    check(conversion.begin());
    Trace trace(named.kind);
    std::vector<double> tenths, heap;
    const size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
    for (uint64_t tenth = 1; tenth <= 10; ++tenth) {
      double spent = 0;
      const uint64_t from = trace.requests();
      while (trace.requests() < requests / 10 * tenth) {
        const auto records = trace.next(kBatch);
        const double start = cpu_ns();
        each_record(records, [&](Record record) { check(conversion.feed(record)); });
        spent += cpu_ns() - start;
      }
      tenths.push_back(spent / static_cast<double>(std::max<uint64_t>(trace.requests() - from, 1)));
      heap.push_back(static_cast<double>(mallinfo2().uordblks + mallinfo2().hblkhd - before) /
                     1048576);
    }
    fmt::print("  {:<9}{:>14.1f}{:>14.1f}{:>16.1f}{:>16.1f}\n", named.name, tenths.front(),
               tenths.back(), heap.front(), heap.back());
    std::fflush(stdout);
  }
}

struct RawFile : ByteWriter {
  explicit RawFile(const char* path) : file(std::fopen(path, "wb")) {
    if (file == nullptr) fail(fmt::format("cannot write {}", path));
  }
  ~RawFile() override { std::fclose(file); }
  Status write(std::string_view bytes) override {
    if (std::fwrite(bytes.data(), 1, bytes.size(), file) != bytes.size())
      fail("the recording could not be written");
    return {};
  }
  Status close() override { return {}; }
  std::FILE* file;
};

void write_raw(const char* path, const std::vector<Named>& kinds, uint64_t requests) {
  RawFile file(path);
  RawWriter raw(file);
  check(raw.begin(header_json(header()), kStart));
  Trace trace(kinds.front().kind);
  const auto put = [&](Record record) { check(raw.record(record)); };
  while (trace.requests() < requests) each_record(trace.next(kBatch), put);
  each_record(trace.end(), put);
  check(raw.flush());
}

uint64_t number(std::string_view text) {
  uint64_t value = 0;
  const auto [stop, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc() || stop != text.data() + text.size() || value == 0)
    fail(fmt::format("not a number: {}", text));
  return value;
}

}  // namespace
}  // namespace iohops::bench

int main(int argc, char** argv) {
  using namespace iohops::bench;
  uint64_t requests = 1'000'000, rounds = 5, grow = 0;
  const char* raw = nullptr;
  std::vector<Named> kinds;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--raw" && i + 1 < argc) {
      raw = argv[++i];
      continue;
    }
    uint64_t* value = argument == "--requests" ? &requests
                      : argument == "--rounds" ? &rounds
                      : argument == "--grow"   ? &grow
                                               : nullptr;
    if (value != nullptr) {
      *value = number(++i < argc ? argv[i] : "");
      continue;
    }
    const auto* known = std::find_if(std::begin(kKinds), std::end(kKinds),
                                     [&](const Named& n) { return n.name == argument; });
    if (known == std::end(kKinds)) fail(fmt::format("no workload is called {}", argument));
    kinds.push_back(*known);
  }
  if (kinds.empty()) kinds.assign(std::begin(kKinds), std::end(kKinds));
  if (raw != nullptr)
    write_raw(raw, kinds, requests);
  else if (grow > 0)
    show_growth(kinds, grow);
  else
    show_costs(kinds, requests, static_cast<unsigned>(rounds));
}
