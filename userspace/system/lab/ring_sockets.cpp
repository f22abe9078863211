// Programs that submit to io_uring what goes to and comes from sockets: links, zero copy, splices,
// requests that complete many times.
#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "system/lab/peer.hpp"
#include "system/lab/uring.hpp"

namespace iohops::lab {
namespace {

constexpr uint32_t kBatch = 8;
constexpr uint32_t kPart = 16384;

// A send that waits until all is sent (5.19), as links need it.
void need_whole_sends(const Uring& ring) {
  if (!ring.has(IORING_FEAT_LINKED_FILE))
    throw Unavailable("this kernel's io_uring breaks a link at a short send (5.19 does not)");
}

void expect(Uring& ring, uint32_t completions, uint32_t bytes) {
  for (uint32_t taken = 0; taken < completions; ++taken) {
    io_uring_cqe completion;
    while (!ring.take(completion)) ring.submit(1);
    if (completion.res != static_cast<int32_t>(bytes))
      throw std::runtime_error("a request of io_uring was short");
  }
}

// Linked: a send that must wait would otherwise be overtaken by the next.
void send_in_order(Run& run) {
  Peer receiver = receiver_of(run);
  Uring ring(kBatch, 0);
  need_whole_sends(ring);
  run.begin();
  for (size_t first = 0; first < kPayload; first += size_t{kBatch} * kPart) {
    for (size_t i = 0; i < kBatch; ++i) {
      io_uring_sqe& entry = ring.queue(IORING_OP_SEND, receiver.socket(),
                                       run.payload().data() + first + i * kPart, kPart, 0);
      entry.msg_flags = MSG_WAITALL;
      entry.flags = i + 1 < kBatch ? IOSQE_IO_LINK : 0;
    }
    ring.submit(kBatch);
    expect(ring, kBatch, kPart);
  }
  run.end(kPayload, kPayload / kBatch / kPart, "32 x 8 linked sends of 16 KiB");
  receiver.expect_success();
}

// The classic round in one call: a read, and linked to it the send of what it read.
void relay_by_link(Run& run) {
  const UniqueFd file = run.file();
  Peer receiver = receiver_of(run);
  Buffer chunk(kChunk);
  Uring ring(2, 0);
  need_whole_sends(ring);
  run.begin();
  for (size_t at = 0; at < kPayload; at += kChunk) {
    ring.queue(IORING_OP_READ, file.get(), chunk.data(), kChunk, at).flags = IOSQE_IO_LINK;
    ring.queue(IORING_OP_SEND, receiver.socket(), chunk.data(), kChunk, 0).msg_flags = MSG_WAITALL;
    ring.submit(2);
    expect(ring, 2, kChunk);
  }
  run.end(kPayload, kRounds, "64 x a read of 64 KiB and, linked, its send");
  receiver.expect_success();
}

void splice_by_link(Run& run) {
  const UniqueFd file = run.file();
  Peer receiver = receiver_of(run);
  const auto [out, into] = pipe_ends();
  Uring ring(2, 0);
  need_whole_sends(ring);
  run.begin();
  for (size_t at = 0; at < kPayload; at += kChunk) {
    io_uring_sqe& first = ring.queue(IORING_OP_SPLICE, into.get(), nullptr, kChunk, UINT64_MAX);
    first.splice_fd_in = file.get();
    first.splice_off_in = at;
    first.flags = IOSQE_IO_LINK;
    io_uring_sqe& second =
        ring.queue(IORING_OP_SPLICE, receiver.socket(), nullptr, kChunk, UINT64_MAX);
    second.splice_fd_in = out.get();
    second.splice_off_in = UINT64_MAX;
    ring.submit(2);
    expect(ring, 2, kChunk);
  }
  run.end(kPayload, kRounds, "64 x 2 linked splices of 64 KiB");
  receiver.expect_success();
}

// Two completions each: the result, and later that the memory may be used again.
void send_zero_copy(Run& run) {
  Peer receiver = receiver_of(run);
  Buffer sent(kPayload);
  std::copy(run.payload().begin(), run.payload().end(), sent.data());
  Uring ring(kBatch, 0);
  need_whole_sends(ring);
  run.begin();
  for (size_t at = 0; at < kPayload; at += kChunk) {
    ring.queue(IORING_OP_SEND_ZC, receiver.socket(), sent.data() + at, kChunk, 0).msg_flags =
        MSG_WAITALL;
    ring.submit(2);
    for (bool more = true; more;) {
      io_uring_cqe completion;
      while (!ring.take(completion)) ring.submit(1);
      more = (completion.flags & IORING_CQE_F_MORE) != 0;
      if ((completion.flags & IORING_CQE_F_NOTIF) == 0 && completion.res != kChunk)
        throw std::runtime_error("a short send by io_uring");
    }
  }
  run.end(kPayload, kRounds, "64 x send_zc(64 KiB)");
  receiver.expect_success();
}

// One request, a completion for each part that comes.
void receive_many(Run& run) {
  constexpr uint32_t kParts = 64;
  Buffer memory(size_t{kParts} * kPart);
  std::vector<std::byte> got(kPayload);
  Uring ring(kBatch, 0);
  ring.provide(memory.bytes(), kPart);
  Peer sender = sender_of(run);
  run.begin();
  size_t at = 0;
  uint64_t armed = 0;
  for (bool more = false; at < kPayload;) {
    if (!more) {
      io_uring_sqe& entry = ring.queue(IORING_OP_RECV, sender.socket(), nullptr, 0, 0);
      entry.ioprio = IORING_RECV_MULTISHOT;
      entry.flags = IOSQE_BUFFER_SELECT;
      armed++;
    }
    ring.submit(1);
    io_uring_cqe completion;
    while (at < kPayload && ring.take(completion)) {  // the last is the connection's end
      const auto part = static_cast<uint16_t>(completion.flags >> IORING_CQE_BUFFER_SHIFT);
      const auto bytes = static_cast<size_t>(completion.res);
      if (bytes == 0 || at + bytes > kPayload)
        throw std::runtime_error("what came is not what was sent");
      std::memcpy(got.data() + at, memory.data() + size_t{part} * kPart, bytes);
      at += bytes;
      ring.provide_again(part);
      more = (completion.flags & IORING_CQE_F_MORE) != 0;
    }
  }
  run.end(kPayload, armed,
          armed == 1 ? "1 recv that completes for each part"
                     : "a few recvs that complete for each part");
  sender.expect_success();
  run.expect_payload(got);
}

constexpr Named kPrograms[] = {{"uring-send", send_in_order},
                               {"uring-relay", relay_by_link},
                               {"uring-splice", splice_by_link},
                               {"uring-zerocopy", send_zero_copy},
                               {"uring-multishot", receive_many}};

}  // namespace

std::span<const Named> ring_socket_programs() { return kPrograms; }

}  // namespace iohops::lab
