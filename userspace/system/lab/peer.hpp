// The other ends that the lab's programs talk to: pipes, socket pairs, and processes, which are not
// measured.
#pragma once

#include <sys/types.h>

#include <utility>

#include "system/lab/program.hpp"

namespace iohops::lab {

using Pair = std::pair<UniqueFd, UniqueFd>;

UniqueFd bound_socket(int type);    // IPv4, to a port of loopback
void connect_to(int fd, int peer);  // where that socket is bound
Pair tcp();
Pair pair_of(int type);  // of unix sockets
Pair pipe_ends();        // out of it, into it

// A process at the other end of a connection.
class Peer {
 public:
  // What it does with its end; false: not what was expected.
  using Work = bool (*)(Run&, int socket);
  Peer(Run& run, Pair ends, Work work);
  int socket() const { return socket_.get(); }
  // Closes the way to it and waits; throws unless it saw what it expected.
  void expect_success();

 private:
  UniqueFd socket_;
  pid_t pid_;
};

Peer receiver_of(Run& run);  // takes the whole payload over TCP and compares it
Peer sender_of(Run& run);    // writes the whole payload to TCP and closes

}  // namespace iohops::lab
