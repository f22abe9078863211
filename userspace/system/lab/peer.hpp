// The other ends that the lab's programs talk to: pipes, socket pairs, and processes behind a TCP
// connection that take or give the payload. A peer is not measured.
#pragma once

#include <sys/types.h>

#include <utility>

#include "system/lab/program.hpp"

namespace iohops::lab {

using Pair = std::pair<UniqueFd, UniqueFd>;

UniqueFd bound_socket(int type);  // IPv4, to a port of loopback
void connect_to(int fd, int peer);  // where that socket is bound
Pair tcp();
Pair pair_of(int type);  // of unix sockets
Pair pipe_ends();        // out of it, into it

// A process that takes the whole payload from a TCP connection and compares it.
class Receiver {
 public:
  explicit Receiver(Run& run);
  int socket() const { return socket_.get(); }
  void expect_all();  // closes the way, waits; throws unless the payload arrived

 private:
  UniqueFd socket_;  // before the process that is forked with it
  pid_t pid_ = -1;
};

// A process that writes the whole payload to a TCP connection and closes it.
class Sender {
 public:
  explicit Sender(Run& run);
  int socket() const { return socket_.get(); }
  void expect_sent() const;

 private:
  UniqueFd socket_;  // before the process that is forked with it
  pid_t pid_ = -1;
};

}  // namespace iohops::lab
