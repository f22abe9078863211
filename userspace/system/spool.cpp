#include "system/spool.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <utility>

namespace iohops {

Spool::Spool(size_t memory_bytes, size_t waiting_bytes, std::string directory)
    : memory_chunks_(std::max<size_t>(1, memory_bytes / (kChunkWords * 8))),
      waiting_chunks_(std::max<size_t>(1, waiting_bytes / (kChunkWords * 8))),
      file_(std::move(directory)) {
  filling_.reserve(kChunkWords);
}

Spool::~Spool() {
  abandon();
  if (writer_.joinable()) writer_.join();
}

void Spool::open_file(int nice) {
  writer_nice_ = nice;
  file_.open();
}

Status Spool::append(Record records) {
  const size_t words = records.size() / 8;
  if (filling_.size() + words > kChunkWords) {
    if (Status handed = hand_over(); !handed) return handed;
  }
  const auto* first = reinterpret_cast<const uint64_t*>(records.data());
  filling_.insert(filling_.end(), first, first + words);
  return {};
}

Status Spool::hand_over() {
  if (filling_.empty() && full_.empty()) return {};
  if (!filling_.empty()) {
    appended_.fetch_add(filling_.size() * 8, std::memory_order_relaxed);
    full_.push_back(std::exchange(filling_, {}));
  }
  Lock lock(mutex_, std::try_to_lock);
  if (!lock && full_.size() >= memory_chunks_) lock.lock();
  if (lock) {
    if (Status passed = pass_all_on(lock); !passed) return passed;
    filling_ = spare();
    filling_.clear();
  }
  filling_.reserve(kChunkWords);
  return {};
}

// With the lock, as all that follows.
Spool::Chunk Spool::spare() {
  if (spare_.empty()) return {};
  Chunk chunk = std::move(spare_.back());
  spare_.pop_back();
  return chunk;
}

void Spool::keep(Chunk chunk) {
  if (chunk.capacity() >= kChunkWords && spare_.size() < memory_chunks_) spare_.push_back(std::move(chunk));
}

Status Spool::pass_all_on(Lock& lock) {
  for (; !full_.empty(); full_.pop_front()) {
    changed_.wait(lock, [&] { return failed_ || abandoned_ || waiting_.size() < waiting_chunks_; });
    if (failed_) return *failed_;
    pass_on(std::move(full_.front()));
  }
  changed_.notify_all();
  return {};
}

void Spool::pass_on(Chunk chunk) {
  if (abandoned_) return;
  if (in_file_.empty() && !writes_ && waiting_.empty() && memory_.size() < memory_chunks_) {
    memory_.push_back(std::move(chunk));
    return;
  }
  waiting_.push_back(std::move(chunk));
  if (!writer_.joinable()) writer_ = std::thread([this] { write_waiting(); });
}

// The spool's own thread. When all has come in it has no more to do: the converting side takes what waits.
void Spool::write_waiting() {
  setpriority(PRIO_PROCESS, 0, writer_nice_);
  Lock lock(mutex_);
  while (!failed_) {
    changed_.wait(lock, [&] { return closed_ || abandoned_ || !waiting_.empty(); });
    if (closed_ || abandoned_) return;
    Chunk chunk = std::move(waiting_.front());
    waiting_.pop_front();
    writes_ = true;
    const bool all_read = in_file_.empty();
    lock.unlock();
    if (all_read) file_.begin_anew();
    const Status written = file_.write(chunk);
    lock.lock();
    writes_ = false;
    if (!written) failed_ = written.error();
    if (written && !abandoned_) in_file_.push_back(static_cast<uint32_t>(chunk.size()));
    if (written) keep(std::move(chunk));
    else waiting_.push_front(std::move(chunk));
    changed_.notify_all();
  }
}

// What is in hand stays: there is memory for it already.
Status Spool::close() {
  Status handed = hand_over();
  Lock lock(mutex_);
  for (; !full_.empty(); full_.pop_front()) waiting_.push_back(std::move(full_.front()));
  closed_ = true;
  changed_.notify_all();
  return handed;
}

void Spool::abandon() {
  Lock lock(mutex_);
  abandoned_ = true;
  memory_.clear();
  in_file_.clear();
  waiting_.clear();
  changed_.notify_all();
}

// The lock is open while it reads: what is appended meanwhile goes behind it.
Result<Spool::Chunk> Spool::from_file(Lock& lock) {
  Chunk chunk = spare();
  chunk.resize(in_file_.front());
  lock.unlock();
  const Status read = file_.read(chunk);
  lock.lock();
  if (!read) return read.error();
  if (!in_file_.empty()) in_file_.pop_front();  // unless it was abandoned meanwhile
  return chunk;
}

bool Spool::can_take() const { return !memory_.empty() || !in_file_.empty() || (!writes_ && !waiting_.empty()); }

Result<Spool::Chunk> Spool::next(Lock& lock) {
  if (memory_.empty() && !in_file_.empty()) return from_file(lock);
  std::deque<Chunk>& oldest = memory_.empty() ? waiting_ : memory_;
  Chunk chunk = std::move(oldest.front());
  oldest.pop_front();
  return chunk;
}

Result<std::optional<Spool::Chunk>> Spool::take(Chunk reuse, std::chrono::milliseconds patience) {
  Lock lock(mutex_);
  keep(std::move(reuse));
  changed_.wait_for(lock, patience, [&] { return can_take() || (closed_ && !writes_); });
  if (!can_take()) return closed_ && !writes_ ? std::optional<Chunk>() : std::optional<Chunk>(Chunk());
  Result<Chunk> chunk = next(lock);
  if (!chunk) return chunk.error();
  taken_.fetch_add(chunk->size() * 8, std::memory_order_release);
  changed_.notify_all();
  return std::optional<Chunk>(std::move(*chunk));
}

}  // namespace iohops
