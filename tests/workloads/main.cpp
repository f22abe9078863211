// io MODE FILE [--size N] [--block N] [--count N] [--threads N] [--barrier] [--done-fd N]
// Does the I/O of MODE on FILE and prints, as one line of JSON, exactly what it did. With
// --barrier it prints "ready PID" first and waits for SIGUSR1, and again after the measured part,
// when it has closed the --done-fd descriptor.
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "workload.hpp"

namespace workload {
namespace {

constexpr size_t kListedCalls = 5000;

void print(const Run& run, pid_t pid) {
  struct Total {
    uint64_t requests = 0, requested = 0, returned = 0, errors = 0;
  };
  std::map<std::string, Total> ops;
  for (const Call& c : run.calls.list()) {
    Total& t = ops[c.op];
    ++t.requests;
    t.requested += c.requested;
    if (c.result < 0)
      ++t.errors;
    else
      t.returned += static_cast<uint64_t>(c.result);
  }
  std::printf("{\"mode\": \"%s\", \"pid\": %d, \"ops\": {", run.options.mode.c_str(), pid);
  const char* comma = "";
  for (const auto& [op, t] : ops) {
    std::printf(
        "%s\"%s\": {\"requests\": %lu, \"requested\": %lu, \"returned\": %lu, "
        "\"errors\": %lu}",
        comma, op.c_str(), t.requests, t.requested, t.returned, t.errors);
    comma = ", ";
  }
  std::printf("}, \"facts\": {");
  comma = "";
  for (const auto& [name, value] : run.facts) {
    std::printf("%s\"%s\": %ld", comma, name.c_str(), value);
    comma = ", ";
  }
  std::printf("}, \"calls\": [");
  comma = "";
  size_t listed = 0;
  for (const Call& c : run.calls.list()) {
    if (++listed > kListedCalls) break;
    std::printf("%s[\"%s\", %ld, %lu, %ld]", comma, c.op, c.offset, c.requested, c.result);
    comma = ", ";
  }
  std::printf("]}\n");
}

int usage() {
  std::fprintf(stderr,
               "usage: io MODE FILE [--size N] [--block N] [--count N] [--threads N] "
               "[--barrier] [--done-fd N]\n");
  for (const auto* modes : {&kFileModes, &kSyncModes, &kMappedModes, &kProcessModes, &kOddModes})
    for (const Entry& e : *modes) std::fprintf(stderr, "  %-20s %s\n", e.name, e.what);
  return 2;
}

bool parse(int argc, char** argv, Options& o) {
  if (argc < 3) return false;
  o.mode = argv[1];
  o.path = argv[2];
  for (int i = 3; i < argc; ++i) {
    const std::string_view arg = argv[i];
    if (arg == "--barrier") {
      o.barrier = true;
    } else if (arg != "--") {
      if (++i == argc) return false;
      if (arg == "--size")
        o.size = std::strtoull(argv[i], nullptr, 10);
      else if (arg == "--block")
        o.block = std::strtoull(argv[i], nullptr, 10);
      else if (arg == "--count")
        o.count = std::strtoull(argv[i], nullptr, 10);
      else if (arg == "--threads")
        o.threads = static_cast<unsigned>(std::atoi(argv[i]));
      else if (arg == "--pause")
        o.pause_us = static_cast<unsigned>(std::atoi(argv[i]));
      else if (arg == "--done-fd")
        o.done_fd = std::atoi(argv[i]);
      else if (arg == "--carry")
        o.carry = argv[i];
      else
        return false;
    }
  }
  return o.block > 0 && o.size >= o.block;
}

int run(int argc, char** argv) {
  Options options;
  if (!parse(argc, argv, options)) return usage();
  // Blocked in every thread to come; it survives exec.
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  for (const auto* modes : {&kFileModes, &kSyncModes, &kMappedModes, &kProcessModes, &kOddModes})
    for (const Entry& e : *modes)
      if (options.mode == e.name) {
        Run r{options, {}, {}};
        e.mode(r);
        print(r, getpid());
        return 0;
      }
  return usage();
}

}  // namespace
}  // namespace workload

int main(int argc, char** argv) { return workload::run(argc, argv); }
