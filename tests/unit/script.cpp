// The DSL of script.hpp: what the kernel side would write.
#include "script.hpp"

#include <gtest/gtest.h>

#include <cstring>

#include "core/rebuild/blk_types.hpp"

namespace iohops::test {
namespace {

// Components leaf first, each ended by a NUL.
std::string leaf_first(std::string_view path) {
  std::string components;
  while (!path.empty()) {
    const size_t slash = path.rfind('/');
    const size_t begin = slash == std::string_view::npos ? 0 : slash + 1;
    if (begin < path.size()) components += std::string(path.substr(begin)) + '\0';
    path = path.substr(0, slash == std::string_view::npos ? 0 : slash);
  }
  return components;
}

}  // namespace

Call::Call(Story& story, uint16_t op, const NamedFile& file) : story_(&story), file_(file) {
  owner_ = {kApp, kApp, story.now_ += 1000};
  wire_request& request = record_.request;
  request.start_ns = owner_.start_ns;
  request.offset = WIRE_UNKNOWN;
  request.requested = WIRE_UNKNOWN;
  request.file = file.alias;
  request.fd = op == WIRE_OP_PAGE_FAULT ? -1 : 3;
  request.op = op;
  request.segments = 1;
}

Call& Call::at(uint64_t offset, uint64_t bytes) {
  record_.request.offset = offset;
  record_.request.requested = bytes;
  return *this;
}

Call& Call::flags(uint32_t open_flags) {
  record_.request.open_flags = open_flags;
  return *this;
}

Call& Call::in(uint64_t buffer) {
  record_.request.buffer = buffer;
  return *this;
}

Call& Call::maps(uint64_t first_page, uint64_t last_page) {
  record_.map_first = first_page;
  record_.map_last = last_page;
  return *this;
}

Call& Call::copied(uint64_t bytes) {
  record_.copied_bytes = bytes;
  return *this;
}

Call& Call::copy_missed() {
  record_.request.flags |= WIRE_REQUEST_COPY_MISSED;
  return *this;
}

Call& Call::to(const NamedFile& file, uint64_t offset) {
  record_.to_file = file.alias;
  record_.to_fd = 4;
  record_.to_offset = offset;
  return *this;
}

Call& Call::called_with(uint32_t call_flags) {
  record_.request.call_flags = call_flags;
  return *this;
}

Call& Call::moves(uint64_t bytes) {
  record_.moved_bytes = bytes;
  return *this;
}

Call& Call::copied_in_user_space(uint64_t bytes) {
  in_user_space_ = true;
  return copied(bytes);
}

Call& Call::submitted_by(const wire_owner& batch, uint32_t run_by, uint32_t run_flags) {
  record_.batch_ns = batch.start_ns;
  record_.run_by = run_by;
  record_.run_flags = run_flags;
  return *this;
}

Call& Call::on_thread(uint32_t tid) {
  owner_.tid = tid;
  return *this;
}

Call& Call::adds(uint64_t first_page, uint64_t pages) { return adds_of(file_, first_page, pages); }

Call& Call::adds_of(const NamedFile& file, uint64_t first_page, uint64_t pages) {
  if (record_.run.pages > 0) {
    wire_pages record{};
    record.owner = owner_;
    record.run = record_.run;
    story_->emit(record, WIRE_PAGES);
  }
  record_.run = {file.ino, file.dev, 1, first_page, pages, story_->now_ += 1000};
  record_.page_runs++;
  record_.added_bytes += pages * kPage;
  return *this;
}

Call& Call::dirties(uint64_t bytes) {
  record_.dirtied_bytes += bytes;
  return *this;
}

Call& Call::waits(wire_wait_reason reason, uint64_t ns) {
  wire_wait record{};
  record.owner = owner_;
  record.begin_ns = story_->now_ += 1000;
  record.reason = reason;
  story_->now_ += ns;
  story_->emit(record, WIRE_WAIT);
  record_.waits++;
  record_.voluntary += reason != WIRE_WAIT_PREEMPTED;
  record_.involuntary += reason == WIRE_WAIT_PREEMPTED;
  record_.off_cpu_ns += ns;
  return *this;
}

Bio Call::queues(wire_bio_part part) {
  part.owner = owner_;
  part.queue_ns = story_->now_ += 1000;
  part.file = file_.alias;
  if (part.origin_dev == 0) part.origin_dev = kDisk;
  const bool direct = (part.flags & WIRE_BIO_USER) != 0;
  record_.bios++;
  record_.bio_bytes += part.bytes;
  record_.direct_bios += direct;
  record_.direct_bytes += direct ? part.bytes : 0;
  return {part};
}

Bio Call::queue_pages(uint64_t first_page, uint64_t pages, uint32_t op_flags) {
  wire_bio_part part{};
  part.ino = file_.ino;
  part.dev = file_.dev;
  part.index = first_page;
  part.bytes = static_cast<uint32_t>(pages * kPage);
  part.op_flags = op_flags;
  return queues(part);
}

Bio Call::reads(uint64_t first_page, uint64_t pages, uint32_t op_flags) {
  return queue_pages(first_page, pages, blk::kRead | op_flags);
}

Bio Call::writes(uint64_t first_page, uint64_t pages, uint32_t op_flags) {
  return queue_pages(first_page, pages, blk::kWrite | op_flags);
}

Bio Call::reads_directly(uint64_t bytes) {
  wire_bio_part part{};
  part.bytes = static_cast<uint32_t>(bytes);
  part.flags = WIRE_BIO_USER;
  return queues(part);
}

Bio Call::writes_directly(uint64_t bytes) {
  wire_bio_part part{};
  part.bytes = static_cast<uint32_t>(bytes);
  part.op_flags = blk::kWrite | blk::kSync;
  part.flags = WIRE_BIO_USER;
  return queues(part);
}

Bio Call::flushes() {
  wire_bio_part part{};
  part.op_flags = blk::kWrite | blk::kPreflush | blk::kSync;
  return queues(part);
}

uint64_t Call::returns(int64_t result) { return ends(result, 0); }

uint64_t Call::ends(int64_t result, uint16_t flags) {
  const uint64_t end = story_->now_ += 1000;
  record_.request.tgid = owner_.tgid;
  record_.request.tid = owner_.tid;
  record_.request.result = result;
  record_.request.flags = (record_.request.flags & WIRE_REQUEST_COPY_MISSED) | flags;
  const bool all = !in_user_space_ && record_.copied_bytes != 0 && int64_t(record_.copied_bytes) == result;
  if (all) record_.request.flags |= WIRE_REQUEST_COPIED;
  const bool touched = (record_.copied_bytes != 0 && !all) || record_.bios != 0 ||
                       record_.page_runs != 0 || record_.waits != 0 || record_.dirtied_bytes != 0 ||
                       record_.to_fd != 0 || record_.run_by != 0 || record_.moved_bytes != 0;
  if (touched) {
    record_.request.flags |= WIRE_REQUEST_DETAIL;
    record_.request.header = {end, WIRE_REQUEST, sizeof record_, 0};
    story_->feed(bytes_of(record_));
  } else {
    story_->emit(record_.request, WIRE_REQUEST);
  }
  return end;
}

RebuildContext Story::default_context() {
  RebuildContext context;
  context.start_ns = kStart;
  context.devices = {{kDisk, "vda", "virtio_blk", true, 512, 0},
                     {kLoop, "loop0", "loop", false, 512, 0}};
  return context;
}

Story::Story(RebuildContext context)
    : ledger_(std::make_unique<Ledger>()),
      rebuilder_(std::make_unique<Rebuilder>(std::move(context), *ledger_)) {
  process(kApp, "app");
}

void Story::feed(Record record) {
  std::vector<uint64_t> copy(record.size() / 8);
  std::memcpy(copy.data(), record.data(), record.size());
  records_.push_back(std::move(copy));
  const auto& words = records_.back();
  const Status status = rebuilder_->feed(std::as_bytes(std::span(words)));
  EXPECT_TRUE(status) << status.error().message;
}

void Story::raw(const std::vector<uint64_t>& words) { feed(std::as_bytes(std::span(words))); }

NamedFile Story::file(std::string_view path, FileSpec spec) {
  const NamedFile named{next_alias_++, spec.ino != 0 ? spec.ino : next_ino_++, spec.dev};
  const std::string components = leaf_first(path);
  std::vector<uint64_t> words((sizeof(wire_file) + components.size() + 7) / 8);
  wire_file record{};
  record.header = {now_, WIRE_FILE, static_cast<uint16_t>(words.size() * 8), 0};
  record.file = named.alias;
  record.dev = spec.dev;
  record.ino = named.ino;
  record.generation = spec.generation;
  record.magic = spec.magic;
  record.rdev = spec.rdev;
  record.mode = spec.mode;
  record.flags = spec.flags;
  record.below = spec.below;
  std::strncpy(record.fs, spec.fs, sizeof record.fs - 1);
  record.path_bytes = static_cast<uint32_t>(components.size());
  std::memcpy(words.data(), &record, sizeof record);
  std::memcpy(words.data() + sizeof record / 8, components.data(), components.size());
  raw(words);
  return named;
}

void Story::process(uint32_t pid, std::string_view comm, uint32_t event) {
  wire_process record{};
  record.tgid = pid;
  record.ns_tgid = pid;
  record.parent = 1;
  record.event = event;
  record.start_boot_ns = 1;
  comm.copy(record.comm, sizeof record.comm - 1);
  emit(record, WIRE_PROCESS);
}

void Story::process_exits(uint32_t pid) {
  wire_process_exit record{};
  record.tgid = pid;
  emit(record, WIRE_PROCESS_EXIT);
}

void Story::thread(uint32_t tid, std::string_view comm, uint32_t pid) {
  wire_thread record{};
  record.tgid = pid;
  record.tid = tid;
  record.ns_tid = tid;
  comm.copy(record.comm, sizeof record.comm - 1);
  emit(record, WIRE_THREAD);
}

Call Story::call(uint16_t op, const NamedFile& file) { return {*this, op, file}; }

Bio Story::flusher_writes(const NamedFile& file, uint64_t first_page, uint64_t pages) {
  wire_bio_part part{};
  part.queue_ns = now_ += 1000;
  part.ino = file.ino;
  part.dev = file.dev;
  part.index = first_page;
  part.bytes = static_cast<uint32_t>(pages * kPage);
  part.op_flags = blk::kWrite;
  part.file = file.alias;
  part.origin_dev = kDisk;
  return {part};
}

void Story::loop_lies_in(const NamedFile& file, uint64_t offset, bool direct, uint32_t dev) {
  wire_device record{};
  record.dev = dev;
  record.file = file.alias;
  record.offset = offset;
  record.flags = direct ? WIRE_DEVICE_DIRECT : 0;
  emit(record, WIRE_DEVICE);
}

Bio Story::driver_bio(uint64_t bytes, uint32_t op_flags, uint32_t flags) {
  wire_bio_part part{};
  part.queue_ns = now_ += 1000;
  part.bytes = static_cast<uint32_t>(bytes);
  part.op_flags = op_flags;
  part.flags = flags;
  part.origin_dev = kDisk;
  return {part};
}

Bio Story::split(Bio& bio, uint64_t front_pages) {
  Bio front = bio;
  front.part.bytes = static_cast<uint32_t>(front_pages * kPage);
  front.part.flags |= WIRE_BIO_SPLIT;
  bio.part.bytes -= front.part.bytes;
  bio.part.index += front_pages;
  return front;
}

uint64_t Story::completes(const std::vector<Bio>& bios, How how) {
  wire_transfer record{};
  record.id = how.id != 0 ? how.id : next_transfer_++;
  record.sector = how.sector != 0 ? how.sector : record.id * 1000;
  record.issue_ns = now_ += 1000;
  record.insert_ns = record.issue_ns - 500;
  if ((how.transfer_flags & WIRE_TRANSFER_NO_ISSUE) != 0) record.issue_ns = record.insert_ns = 0;
  now_ += 10000;
  for (const Bio& bio : bios) record.bytes += bio.part.bytes;
  record.dev = how.dev;
  record.op_flags = bios.front().part.op_flags | how.op_flags;
  if (how.drops_preflush) record.op_flags &= ~blk::kPreflush;
  record.error = how.error;
  record.bios = static_cast<uint32_t>(bios.size());
  record.issues = how.issues;
  record.flags = how.transfer_flags;
  record.bounced_bytes = how.bounced_bytes;
  record.bounce_bytes_in = how.bounce_bytes_in;
  record.bounce_bytes_out = how.bounce_bytes_out;
  record.dma_source = how.dma_source;
  record.first = bios.front().part;
  record.carried = bios.front().carried;
  for (size_t i = 1; i < bios.size(); i++) {
    wire_bio bio{};
    bio.transfer = record.id;
    bio.bio = bios[i].part;
    bio.carried = bios[i].carried;
    emit(bio, WIRE_BIO);
  }
  emit(record, WIRE_TRANSFER);
  return record.id;
}

void Story::loses(wire_loss cause, uint64_t count) {
  wire_loss_record record{};
  record.count = count;
  record.cause = cause;
  emit(record, WIRE_LOSS);
}

void Story::ends() {
  wire_end record{};
  record.start_ns = kStart;
  emit(record, WIRE_END);
}

Ledger& Story::told(bool truncated) {
  const Status status = rebuilder_->finish(truncated);
  EXPECT_TRUE(status) << status.error().message;
  for (const std::string& violation : ledger_->invariants.violations()) {
    ADD_FAILURE() << violation;
  }
  return *ledger_;
}

}  // namespace iohops::test
