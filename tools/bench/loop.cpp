// loop NAME FILE CPU: for each line on standard input, calls in batches of known time and answers
// with one line of JSON: the nanoseconds of one call in each batch, the 99th percentile and the
// largest of calls that were timed one by one, and how many there were in all. Pinned to CPU, in
// real time where that is allowed, so that what is measured is the call and not the scheduler.
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <vector>

#include "loops.hpp"

namespace {

constexpr int kBatches = 11;
constexpr auto kBatch = std::chrono::milliseconds(20);
constexpr auto kTimed = std::chrono::milliseconds(60);

using Clock = std::chrono::steady_clock;

uint64_t g_calls = 0;

double ns(Clock::duration time) { return std::chrono::duration<double, std::nano>(time).count(); }

double batch(const bench::Loop& loop, const std::function<void()>& call) {
  const auto begin = Clock::now();
  uint64_t calls = 0;
  for (auto now = begin; now - begin < kBatch; now = Clock::now()) {
    for (int i = 0; i < loop.calls_per_look; ++i) call();
    calls += static_cast<uint64_t>(loop.calls_per_look);
  }
  g_calls += calls;
  return ns(Clock::now() - begin) / static_cast<double>(calls);
}

// Each with the price of one reading of the clock, traced and untraced alike.
std::vector<double> time_each(const std::function<void()>& call) {
  std::vector<double> times;
  const auto begin = Clock::now();
  for (auto before = begin; before - begin < kTimed || times.size() < 100;) {
    call();
    const auto after = Clock::now();
    times.push_back(ns(after - before));
    before = after;
  }
  g_calls += times.size();
  std::sort(times.begin(), times.end());
  return times;
}

void be_alone_on(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  if (sched_setaffinity(0, sizeof set, &set) != 0) std::perror("loop: sched_setaffinity");
  sched_param parameter = {};
  parameter.sched_priority = 1;
  // Refused without the privilege: said in the result.
  sched_setscheduler(0, SCHED_FIFO, &parameter);
}

void answer(const bench::Loop& loop, const std::function<void()>& call) {
  g_calls = 0;
  std::string batches;
  for (int i = 0; i < kBatches; ++i) batches += (i ? ", " : "") + std::to_string(batch(loop, call));
  const std::vector<double> times = time_each(call);
  std::printf("{\"ns\": [%s], \"p99_ns\": %.0f, \"max_ns\": %.0f, \"calls\": %llu}\n",
              batches.c_str(), times[times.size() * 99 / 100], times.back(),
              static_cast<unsigned long long>(g_calls));
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  const auto& all = bench::loops();
  const auto loop = std::find_if(all.begin(), all.end(), [&](const auto& l) {
    return argc == 4 && l.name == std::string(argv[1]);
  });
  if (loop == all.end()) {
    std::fprintf(stderr, "usage: loop NAME FILE CPU\n");
    for (const auto& l : all) std::fprintf(stderr, "  %-10s %s\n", l.name, l.what);
    return 2;
  }
  try {
    const auto call = loop->make(argv[2]);
    be_alone_on(std::atoi(argv[3]));
    std::printf("ready %d %s %s\n", getpid(),
                sched_getscheduler(0) == SCHED_FIFO ? "fifo" : "normal", loop->what);
    std::fflush(stdout);
    for (char line[64]; std::fgets(line, sizeof line, stdin) != nullptr;) answer(*loop, call);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "loop %s: %s\n", argv[1], e.what());
    return 1;
  }
  return 0;
}
