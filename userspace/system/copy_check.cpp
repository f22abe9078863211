#include "system/copy_check.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "system/unique_fd.hpp"

namespace iohops {
namespace {

Error cannot(const char* what) {
  return {ErrorKind::kRuntime, fmt::format("{}: {}", what, std::strerror(errno))};
}

class Check {
 public:
  explicit Check(const CopyCounters& counters) : counters_(counters), before_(counters()) {}

  Status write(const UniqueFd& fd, CopyProbe probe) {
    if (::write(fd.get(), buffer_.data(), buffer_.size()) != kAll) return cannot("write");
    note(probe);
    return {};
  }
  Status read(const UniqueFd& fd, CopyProbe probe) {
    if (::read(fd.get(), buffer_.data(), buffer_.size()) != kAll) return cannot("read");
    note(probe);
    return {};
  }
  const CopyObservations& seen() const { return seen_; }

 private:
  static constexpr ssize_t kAll = kCopyCheckBytes;

  void note(CopyProbe probe) {
    const auto now = counters_();
    for (size_t hook = 0; hook < now.size(); ++hook)
      seen_[static_cast<size_t>(probe)][hook] = now[hook] - before_[hook];
    before_ = now;
  }

  const CopyCounters& counters_;
  std::array<uint64_t, WIRE_COPY_HOOKS> before_;
  CopyObservations seen_{};
  std::vector<char> buffer_ = std::vector<char>(kCopyCheckBytes, 'x');
};

}  // namespace

Result<CopyObservations> observe_copies(const CopyCounters& counters) {
  // Our own program is a file in the page cache wherever it stands; to write, memory does.
  const UniqueFd program(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  if (!program) return cannot("/proc/self/exe");
  const UniqueFd memory(memfd_create("iohops-check", MFD_CLOEXEC));
  if (!memory) return cannot("memfd_create");
  int ends[2];
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return cannot("pipe2");
  const UniqueFd pipe_out(ends[0]), pipe_in(ends[1]);
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
    return cannot("socketpair");
  const UniqueFd socket_out(ends[0]), socket_in(ends[1]);

  Check check(counters);
  Status done = check.read(program, CopyProbe::kFileRead);
  if (done) done = check.write(memory, CopyProbe::kFileWrite);
  if (done && lseek(memory.get(), 0, SEEK_SET) != 0) return cannot("lseek");
  if (done) done = check.read(memory, CopyProbe::kMemoryRead);
  if (done) done = check.write(pipe_in, CopyProbe::kPipeWrite);
  if (done) done = check.read(pipe_out, CopyProbe::kPipeRead);
  if (done) done = check.write(socket_in, CopyProbe::kSocketWrite);
  if (done) done = check.read(socket_out, CopyProbe::kSocketRead);
  if (!done) return done.error();
  return check.seen();
}

}  // namespace iohops
