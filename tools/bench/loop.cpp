// loop pread|getppid FILE CPU: for each line on standard input, calls in batches of known time and
// prints the nanoseconds of one call in each batch, on one line. Pinned to CPU, in real time where
// that is allowed, so that what is measured is the call and not the scheduler.
#include <fcntl.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

constexpr int kBatches = 11;
constexpr auto kBatch = std::chrono::milliseconds(20);
constexpr int kCallsPerLook = 64;  // the clock is read this rarely

using Clock = std::chrono::steady_clock;

alignas(4096) char g_page[4096];

template <typename Call>
double batch(Call call) {
  const auto begin = Clock::now();
  uint64_t calls = 0;
  for (auto now = begin; now - begin < kBatch; now = Clock::now()) {
    for (int i = 0; i < kCallsPerLook; ++i) call();
    calls += kCallsPerLook;
  }
  return std::chrono::duration<double, std::nano>(Clock::now() - begin).count() /
         static_cast<double>(calls);
}

void be_alone_on(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  if (sched_setaffinity(0, sizeof set, &set) != 0) std::perror("loop: sched_setaffinity");
  sched_param parameter = {};
  parameter.sched_priority = 1;
  sched_setscheduler(0, SCHED_FIFO,
                     &parameter);  // refused without the privilege: said in the result
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: loop pread|getppid FILE CPU\n");
    return 2;
  }
  const std::string mode = argv[1];
  const int fd = open(argv[2], O_RDWR | O_CREAT, 0600);
  if (fd < 0 || pwrite(fd, g_page, sizeof g_page, 0) != sizeof g_page) {
    std::perror(argv[2]);
    return 1;
  }
  be_alone_on(std::atoi(argv[3]));
  const auto read_page = [&] {
    if (pread(fd, g_page, sizeof g_page, 0) != sizeof g_page) std::abort();
  };
  const auto ask_parent = [] { syscall(SYS_getppid); };
  std::printf("ready %d %s\n", getpid(), sched_getscheduler(0) == SCHED_FIFO ? "fifo" : "normal");
  std::fflush(stdout);
  for (char line[64]; std::fgets(line, sizeof line, stdin) != nullptr;) {
    std::string out;
    for (int i = 0; i < kBatches; ++i) {
      out += std::to_string(mode == "pread" ? batch(read_page) : batch(ask_parent));
      out += i + 1 < kBatches ? ' ' : '\n';
    }
    std::fputs(out.c_str(), stdout);
    std::fflush(stdout);
  }
  return 0;
}
