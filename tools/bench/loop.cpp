// loop NAME FILE CPU: for each line on standard input, calls in batches of known time and answers
// with one line of JSON: the nanoseconds of one call in each batch, the 99th percentile and the
// largest of calls that were timed one by one, and how many there were in all. A line `turn MS`
// asks for a short sample instead: see answer_turn. Pinned to CPU, in real time where that is
// allowed, so that what is measured is the call and not the scheduler.
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <numeric>
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

// Sorted, of one call in each `look` of so many calls, for so long and 100 looks at least. Each
// look has the price of one reading of the clock, traced and untraced alike.
std::vector<double> time_looks(const std::function<void()>& call, int look, Clock::duration time) {
  std::vector<double> times;
  const auto begin = Clock::now();
  for (auto before = begin; before - begin < time || times.size() < 100;) {
    for (int i = 0; i < look; ++i) call();
    const auto after = Clock::now();
    times.push_back(ns(after - before) / look);
    before = after;
  }
  g_calls += times.size() * static_cast<size_t>(look);
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
  const std::vector<double> times = time_looks(call, 1, kTimed);
  std::printf("{\"ns\": [%s], \"p99_ns\": %.0f, \"max_ns\": %.0f, \"calls\": %llu}\n",
              batches.c_str(), times[times.size() * 99 / 100], times.back(),
              static_cast<unsigned long long>(g_calls));
  std::fflush(stdout);
}

// The quartiles of looks tell what most calls cost: a few that wait for something else do not move
// them, which the mean cannot say of itself.
void answer_turn(const bench::Loop& loop, const std::function<void()>& call, Clock::duration time) {
  g_calls = 0;
  const std::vector<double> looks = time_looks(call, loop.calls_per_look, time);
  const auto sum = std::accumulate(looks.begin(), looks.end(), 0.0);
  const std::vector<double> each = loop.calls_per_look == 1 ? looks : time_looks(call, 1, time / 8);
  std::printf(
      "{\"quartiles_ns\": [%.2f, %.2f, %.2f], \"mean_ns\": %.2f, \"p99_ns\": %.0f, \"calls\": "
      "%llu}\n",
      looks[looks.size() / 4], looks[looks.size() / 2], looks[looks.size() * 3 / 4],
      sum / static_cast<double>(looks.size()), each[each.size() * 99 / 100],
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
    for (char line[64]; std::fgets(line, sizeof line, stdin) != nullptr;) {
      int ms = 0;
      if (std::sscanf(line, "turn %d", &ms) == 1)
        answer_turn(*loop, call, std::chrono::milliseconds(ms));
      else
        answer(*loop, call);
    }
  } catch (const std::exception& e) {
    std::fprintf(stderr, "loop %s: %s\n", argv[1], e.what());
    return 1;
  }
  return 0;
}
