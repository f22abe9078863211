// Programs that hand bytes to sockets and pipes.
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "system/lab/peer.hpp"

#ifndef SO_ZEROCOPY
#define SO_ZEROCOPY 60
#define MSG_ZEROCOPY 0x4000000
#endif

namespace iohops::lab {
namespace {

void write_all(int fd, const std::byte* data, size_t bytes) {
  if (check(write(fd, data, bytes), "write") != static_cast<int64_t>(bytes))
    throw std::runtime_error("a short write");
}

void read_all(int fd, std::byte* data, size_t bytes) {
  for (size_t at = 0; at < bytes;) at += static_cast<size_t>(check(read(fd, data + at, bytes - at), "read"));
}

void relay(Run& run, bool cold, const char* said) {
  const UniqueFd file = run.file();
  Peer receiver = receiver_of(run);
  Buffer chunk(kChunk);
  if (cold) Run::drop_cache(file.get());
  check(lseek(file.get(), 0, SEEK_SET), "lseek");
  run.begin();
  for (size_t round = 0; round < kRounds; ++round) {
    if (check(read(file.get(), chunk.data(), kChunk), "read") != kChunk)
      throw std::runtime_error("a short read");
    write_all(receiver.socket(), chunk.data(), kChunk);
  }
  run.end(kPayload, kRounds, said);
  receiver.expect_success();
}

void relay_hot(Run& run) { relay(run, false, "64 x read and write of 64 KiB, cached"); }
void relay_cold(Run& run) { relay(run, true, "64 x read and write of 64 KiB, not cached"); }

void write_mapping(Run& run) {
  const UniqueFd file = run.file();
  Peer receiver = receiver_of(run);
  void* mapping = mmap(nullptr, kPayload, PROT_READ, MAP_SHARED, file.get(), 0);
  check(mapping == MAP_FAILED ? -1 : 0, "mmap");
  run.begin();
  for (size_t at = 0; at < kPayload; at += kChunk)
    write_all(receiver.socket(), static_cast<std::byte*>(mapping) + at, kChunk);
  run.end(kPayload, kRounds, "64 x write(64 KiB) from a mapping");
  munmap(mapping, kPayload);
  receiver.expect_success();
}

void send_file(Run& run) {
  const UniqueFd file = run.file();
  Peer receiver = receiver_of(run);
  off_t at = 0;
  run.begin();
  for (size_t round = 0; round < kRounds; ++round)
    if (check(sendfile(receiver.socket(), file.get(), &at, kChunk), "sendfile") != kChunk)
      throw std::runtime_error("a short sendfile");
  run.end(kPayload, kRounds, "64 x sendfile(64 KiB)");
  receiver.expect_success();
}

void splice_file(Run& run) {
  const UniqueFd file = run.file();
  Peer receiver = receiver_of(run);
  const auto [out, into] = pipe_ends();
  loff_t at = 0;
  run.begin();
  for (size_t round = 0; round < kRounds; ++round) {
    if (check(splice(file.get(), &at, into.get(), nullptr, kChunk, 0), "splice") != kChunk ||
        check(splice(out.get(), nullptr, receiver.socket(), nullptr, kChunk, 0), "splice") != kChunk)
      throw std::runtime_error("a short splice");
  }
  run.end(kPayload, kRounds, "64 x splice file > pipe, pipe > socket of 64 KiB");
  receiver.expect_success();
}

void send_zero_copy(Run& run) {
  Peer receiver = receiver_of(run);
  Buffer sent(kPayload);
  std::copy(run.payload().begin(), run.payload().end(), sent.data());
  const int on = 1;
  if (setsockopt(receiver.socket(), SOL_SOCKET, SO_ZEROCOPY, &on, sizeof on) != 0)
    throw Unavailable("this kernel has no SO_ZEROCOPY");
  run.begin();
  for (size_t at = 0; at < kPayload; at += kChunk)
    if (check(send(receiver.socket(), sent.data() + at, kChunk, MSG_ZEROCOPY), "send") != kChunk)
      throw std::runtime_error("a short send");
  run.end(kPayload, kRounds, "64 x send(64 KiB, MSG_ZEROCOPY)");
  receiver.expect_success();
}

// Into one end and out of the other, by one process.
void there_and_back(Run& run, int out, int into, const char* said) {
  constexpr size_t kPart = 16384;  // less than any of them holds
  Buffer got(kPayload);
  run.begin();
  for (size_t at = 0; at < kPayload; at += kPart) {
    write_all(into, run.payload().data() + at, kPart);
    read_all(out, got.data() + at, kPart);
  }
  run.end(kPayload, kPayload / kPart, said);
  run.expect_payload(got.bytes());
}

void through_pipe(Run& run) {
  const auto [out, into] = pipe_ends();
  there_and_back(run, out.get(), into.get(), "256 x write and read of 16 KiB");
}

void through_unix(Run& run) {
  const auto [one, other] = pair_of(SOCK_STREAM);
  there_and_back(run, one.get(), other.get(), "256 x write and read of 16 KiB");
}

void through_udp(Run& run) {
  const UniqueFd receiver = bound_socket(SOCK_DGRAM);
  const UniqueFd sender = bound_socket(SOCK_DGRAM);
  connect_to(sender.get(), receiver.get());
  constexpr size_t kDatagram = 1024;
  Buffer got(kPayload);
  run.begin();
  for (size_t at = 0; at < kPayload; at += kDatagram) {
    check(send(sender.get(), run.payload().data() + at, kDatagram, 0), "send");
    if (check(recv(receiver.get(), got.data() + at, kDatagram, 0), "recv") != kDatagram)
      throw std::runtime_error("a short datagram");
  }
  run.end(kPayload, kPayload / kDatagram, "4,096 x send and recv of 1 KiB");
  run.expect_payload(got.bytes());
}

constexpr size_t kMessage = 16384;
constexpr size_t kMessages = kPayload / kMessage;

bool send_and_get_back(Run& run, int socket) {
  std::vector<std::byte> back(kMessage);
  for (size_t i = 0; i < kMessages; ++i) {
    const std::byte* message = run.payload().data() + i * kMessage;
    if (send(socket, message, kMessage, 0) != kMessage || recv(socket, back.data(), kMessage, 0) != kMessage ||
        !std::equal(back.begin(), back.end(), message))
      return false;
  }
  return true;
}

// Each byte comes in and goes out again.
void event_loop(Run& run) {
  Peer peer(run, pair_of(SOCK_SEQPACKET), send_and_get_back);
  const UniqueFd poll(static_cast<int>(check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")));
  epoll_event wanted{.events = EPOLLIN, .data = {}};
  check(epoll_ctl(poll.get(), EPOLL_CTL_ADD, peer.socket(), &wanted), "epoll_ctl");
  Buffer message(kMessage);
  run.begin();
  for (size_t i = 0; i < kMessages; ++i) {
    epoll_event ready{};
    check(epoll_wait(poll.get(), &ready, 1, -1), "epoll_wait");
    check(recv(peer.socket(), message.data(), kMessage, 0), "recv");
    check(send(peer.socket(), message.data(), kMessage, 0), "send");
  }
  run.end(kPayload, kMessages, "256 x epoll_wait, recv and send of 16 KiB");
  peer.expect_success();
}

constexpr Named kPrograms[] = {
    {"read-write", relay_hot},   {"read-write-cold", relay_cold}, {"mmap-write", write_mapping},
    {"sendfile", send_file},     {"splice", splice_file},         {"zerocopy", send_zero_copy},
    {"pipe", through_pipe},      {"unix", through_unix},          {"udp", through_udp},
    {"epoll", event_loop},
};

}  // namespace

std::span<const Named> socket_programs() { return kPrograms; }

}  // namespace iohops::lab
