#include "system/lab/peer.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

namespace iohops::lab {
namespace {

sockaddr_in name_of(int socket) {
  sockaddr_in address{};
  socklen_t bytes = sizeof address;
  check(getsockname(socket, reinterpret_cast<sockaddr*>(&address), &bytes), "getsockname");
  return address;
}

bool take_payload(Run& run, int socket) {
  std::vector<std::byte> got(kPayload + 1);
  size_t at = 0;
  for (;;) {
    const ssize_t n = read(socket, got.data() + at, got.size() - at);
    if (n <= 0) break;
    at += static_cast<size_t>(n);
  }
  return at == kPayload && std::equal(run.payload().begin(), run.payload().end(), got.begin());
}

bool give_payload(Run& run, int socket) {
  for (size_t at = 0; at < kPayload;) {
    const ssize_t n = write(socket, run.payload().data() + at, kPayload - at);
    if (n <= 0) return false;
    at += static_cast<size_t>(n);
  }
  return true;
}

}  // namespace

UniqueFd bound_socket(int type) {
  UniqueFd fd(static_cast<int>(check(socket(AF_INET, type | SOCK_CLOEXEC, 0), "socket")));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  check(bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), "bind");
  return fd;
}

void connect_to(int fd, int peer) {
  const sockaddr_in address = name_of(peer);
  check(connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), "connect");
}

Pair tcp() {
  const UniqueFd server = bound_socket(SOCK_STREAM);
  check(listen(server.get(), 1), "listen");
  UniqueFd client(
      static_cast<int>(check(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket")));
  connect_to(client.get(), server.get());
  return {std::move(client),
          UniqueFd(static_cast<int>(check(accept(server.get(), nullptr, nullptr), "accept")))};
}

Pair pair_of(int type) {
  int ends[2];
  check(socketpair(AF_UNIX, type, 0, ends), "socketpair");
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

Pair pipe_ends() {
  int ends[2];
  check(pipe2(ends, O_CLOEXEC), "pipe2");
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

Peer::Peer(Run& run, Pair ends, Work work)
    : socket_(std::move(ends.first)), pid_(static_cast<pid_t>(check(fork(), "fork"))) {
  if (pid_ != 0) return;
  socket_.reset();
  _exit(work(run, ends.second.get()) ? 0 : 1);
}

void Peer::expect_success() {
  shutdown(socket_.get(), SHUT_WR);
  int status = 0;
  check(waitpid(pid_, &status, 0), "waitpid");
  if (status != 0) throw std::runtime_error("what the other end saw is not what was sent");
}

Peer receiver_of(Run& run) { return {run, tcp(), take_payload}; }
Peer sender_of(Run& run) { return {run, tcp(), give_payload}; }

}  // namespace iohops::lab
