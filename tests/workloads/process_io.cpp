// I/O of threads, children and programs that change or end in the middle of it.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <thread>

#include "workload.hpp"

namespace workload {
namespace {

void read_some(Calls& calls, const Options& o, int fd, size_t first) {
  Aligned buffer(o.block);
  const size_t blocks = o.size / o.block;
  for (size_t i = 0; i < o.count; ++i)
    calls.pread(fd, buffer.data(), o.block, static_cast<off_t>((first + i) % blocks * o.block));
}

// Half of the threads exist before the measured part, half are born in it.
void threads(Run& run) {
  const Options& o = run.options;
  const int fd = open_filled(o, O_RDONLY, Cache::kWarm);
  std::vector<Calls> calls(o.threads);
  for (Calls& c : calls) c.prepare(o.count);
  std::vector<std::thread> running;
  std::atomic<bool> go = false;
  const auto body = [&](unsigned i) {
    go.wait(false);
    read_some(calls[i], o, fd, i * 7);
  };
  for (unsigned i = 0; i < o.threads / 2; ++i) running.emplace_back(body, i);
  run.start();
  go = true;
  go.notify_all();
  for (unsigned i = o.threads / 2; i < o.threads; ++i) running.emplace_back(body, i);
  for (std::thread& t : running) t.join();
  for (const Calls& c : calls) run.calls.append(c);
  run.facts["threads"] = o.threads;
  run.stop();
}

// Each child reads COUNT blocks and leaves; the parent reads as many. The bytes that children
// moved come back through shared memory, not through a pipe, which would be I/O.
void fork_children(Run& run) {
  const Options& o = run.options;
  const int fd = open_filled(o, O_RDONLY, Cache::kWarm);
  auto* moved =
      static_cast<int64_t*>(mmap(nullptr, o.threads * sizeof(int64_t), PROT_READ | PROT_WRITE,
                                 MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  if (moved == MAP_FAILED) fail("mmap");
  run.start();
  for (unsigned i = 0; i < o.threads; ++i) {
    const pid_t child = fork();
    if (child < 0) fail("fork");
    if (child == 0) {
      Calls calls;
      read_some(calls, o, fd, i * 3);
      for (const Call& c : calls.list()) moved[i] += c.result;
      _exit(0);
    }
  }
  read_some(run.calls, o, fd, 0);
  while (wait(nullptr) > 0 || errno == EINTR) {
  }
  int64_t sum = 0;
  for (unsigned i = 0; i < o.threads; ++i) sum += moved[i];
  run.facts["child_requests"] = static_cast<int64_t>(o.threads * o.count);
  run.facts["child_bytes"] = sum;
  run.facts["children"] = o.threads;
  run.stop();
}

void on_alarm(int) {}

// A read of an empty pipe that a signal ends, COUNT times; no SA_RESTART.
void interrupted_read(Run& run) {
  int fd[2];
  if (pipe(fd) != 0) fail("pipe");
  struct sigaction action = {};
  action.sa_handler = on_alarm;
  sigaction(SIGALRM, &action, nullptr);
  char byte;
  run.start();
  // The timer repeats: a signal that comes before the read has begun does not hang the program.
  const itimerval every = {{0, 5000}, {0, 5000}}, never = {};
  setitimer(ITIMER_REAL, &every, nullptr);
  for (size_t i = 0; i < run.options.count; ++i) run.calls.read(fd[0], &byte, 1);
  setitimer(ITIMER_REAL, &never, nullptr);
  run.stop();
}

// Reads, becomes a new image of itself under the same PID, reads again.
void exec_self(Run& run) {
  const Options& o = run.options;
  if (o.carry.empty()) {
    const int fd = open_filled(o, O_RDONLY, Cache::kWarm);
    run.start();
    read_some(run.calls, o, fd, 0);
    close(fd);
    const std::string count = std::to_string(o.count), size = std::to_string(o.size),
                      done = std::to_string(o.done_fd);
    execl("/proc/self/exe", "io_after_exec", "exec", o.path.c_str(), "--count", count.c_str(),
          "--size", size.c_str(), "--done-fd", done.c_str(), o.barrier ? "--barrier" : "--",
          "--carry", count.c_str(), nullptr);
    fail("exec");
  }
  const int fd = ::open(o.path.c_str(), O_RDONLY);
  if (fd < 0) fail(o.path);
  read_some(run.calls, o, fd, 0);
  run.facts["before_exec"] = std::stoll(o.carry);
  run.stop();
}

// Reads COUNT blocks, says that it is done, and stays inside a read that never ends.
void stuck_read(Run& run) {
  const Options& o = run.options;
  const int fd = open_filled(o, O_RDONLY, Cache::kWarm);
  int never[2];
  if (pipe(never) != 0) fail("pipe");
  char byte;
  run.start();
  read_some(run.calls, o, fd, 0);
  close(o.done_fd);
  run.calls.read(never[0], &byte, 1);
  fail("a read of an empty pipe returned");
}

std::atomic<bool> g_leave = false;
void on_leave(int) { g_leave = true; }

// Reads until SIGTERM: something to attach to and to detach from at any moment.
void forever(Run& run) {
  const Options& o = run.options;
  const int fd = open_filled(o, O_RDONLY, Cache::kWarm);
  struct sigaction action = {};
  action.sa_handler = on_leave;
  sigaction(SIGTERM, &action, nullptr);
  Aligned buffer(o.block);
  run.start();
  int64_t requests = 0, bytes = 0;
  const size_t blocks = o.size / o.block;
  for (; !g_leave; ++requests) {
    if (o.pause_us > 0) usleep(o.pause_us);
    bytes += ::pread(fd, buffer.data(), o.block,
                     static_cast<off_t>(static_cast<size_t>(requests) % blocks * o.block));
  }
  run.facts["requests"] = requests;
  run.facts["bytes"] = bytes;
  run.stop();
}

}  // namespace

const std::vector<Entry> kProcessModes = {
    {"threads", threads, "COUNT preads in each of THREADS threads"},
    {"fork", fork_children, "COUNT preads in each of THREADS children and in the parent"},
    {"interrupted_read", interrupted_read, "COUNT reads of an empty pipe that a signal ends"},
    {"exec", exec_self, "COUNT preads, exec, COUNT preads"},
    {"stuck_read", stuck_read, "COUNT preads, then one read that never ends"},
    {"forever", forever, "preads until SIGTERM, PAUSE microseconds before each"},
};

}  // namespace workload
