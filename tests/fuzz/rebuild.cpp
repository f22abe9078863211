// The rebuild, fed with records whose frame is whole and whose contents are anything. The mutator
// works on records (drops, repeats, moves one, changes its contents), which byte by byte would
// hardly come about: a length that is wrong ends the stream.
#include "core/rebuild/rebuilder.hpp"

#include <algorithm>
#include <cstring>
#include <random>
#include <vector>

#include "core/order.hpp"
#include "core/raw.hpp"
#include "tests/fuzz/fuzz.hpp"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace iohops::fuzz {
namespace {

using Words = std::vector<uint64_t>;

// The records at the beginning of the input, as far as they have a frame; a preamble is passed
// over.
std::vector<Words> records_of(const uint8_t* data, size_t size) {
  constexpr size_t kPreamble = 32, kHeaderLength = 20;  // of raw.hpp
  if (size >= kPreamble && std::memcmp(data, kRawMagic.data(), kRawMagic.size()) == 0) {
    uint32_t header = 0;
    std::memcpy(&header, data + kHeaderLength, sizeof header);
    const size_t skip = std::min<size_t>(size, kPreamble + (size_t{header} + 7) / 8 * 8);
    data += skip;
    size -= skip;
  }
  if (size < sizeof(wire_header)) return {};
  Words aligned(size / 8);
  std::memcpy(aligned.data(), data, aligned.size() * 8);
  Record rest = std::as_bytes(std::span(aligned));
  std::vector<Words> records;
  while (!rest.empty()) {
    const Result<Record> record = next_record(rest);
    if (!record) break;
    Words& words = records.emplace_back(record->size() / 8);
    std::memcpy(words.data(), record->data(), record->size());
  }
  return records;
}

size_t written(const std::vector<Words>& records, uint8_t* data, size_t max_size) {
  size_t at = 0;
  for (const Words& words : records) {
    if (at + words.size() * 8 > max_size) break;
    std::memcpy(data + at, words.data(), words.size() * 8);
    at += words.size() * 8;
  }
  return at;
}

// Its contents as libFuzzer likes, its length as it was.
void mutate_contents(Words& words) {
  constexpr size_t kHeader = sizeof(wire_header) / 8;
  if (words.size() <= kHeader) return;
  auto* body = reinterpret_cast<uint8_t*>(words.data() + kHeader);
  const size_t room = (words.size() - kHeader) * 8;
  LLVMFuzzerMutate(body, room, room);
}

void mutate(std::vector<Words>& records, std::mt19937& random) {
  const auto any = [&] {
    return records.begin() + static_cast<ptrdiff_t>(random() % records.size());
  };
  const auto at = any();
  switch (random() % 8) {
    case 0:
      if (records.size() > 1) records.erase(at);
      break;
    case 1: {
      const Words again = *at;
      records.insert(any(), again);
      break;
    }
    case 2:
      std::iter_swap(at, any());
      break;
    case 3: {  // the time of another record, or any
      uint64_t time = any()->front();
      if (random() % 2 == 0) time += random() % 4096 - 2048;
      at->front() = time;
      break;
    }
    case 4: {  // a word of another record: a process, a file, an address that exists
      const Words& from = *any();
      if (at->size() > 2) (*at)[2 + random() % (at->size() - 2)] = from[random() % from.size()];
      break;
    }
    default:
      mutate_contents(*at);
  }
}

// In the order of the orderer, as a live trace comes; in that of the input, as a damaged file may.
void feed(const std::vector<Words>& records, bool ordered) {
  Sound sound;
  RebuildContext context;
  context.devices = {{.id = 254u << 20, .name = "vda", .driver = "virtio_blk", .dma = true}};
  context.max_held_requests = 64;
  context.max_dirty_ranges = 64;
  context.max_readahead_ranges = 64;
  Rebuilder rebuilder(context, sound);
  Orderer orderer(size_t{1} << 20);
  bool whole = true;
  const auto hand_on = [&](Record record) {
    const Status fed = rebuilder.feed(record);
    require_damaged(fed);
    whole = whole && fed;
    return fed;
  };
  for (const Words& words : records) {
    const Record record = std::as_bytes(std::span(words));
    if (!ordered) {
      if (!hand_on(record)) break;
    } else if (!orderer.push(record, view<wire_header>(record)->cpu)) {
      if (!orderer.release(orderer.newest_ns(), hand_on)) break;
    }
  }
  if (ordered && whole) (void)orderer.release(UINT64_MAX, hand_on);
  require(static_cast<bool>(rebuilder.finish(true)), "the end fails");
}

}  // namespace
}  // namespace iohops::fuzz

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                          unsigned seed) {
  using namespace iohops::fuzz;
  std::vector<Words> records = records_of(data, size);
  if (records.empty()) return LLVMFuzzerMutate(data, size, max_size);
  std::mt19937 random(seed);
  for (unsigned edits = 1 + random() % 4; edits > 0; edits--) mutate(records, random);
  return written(records, data, max_size);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace iohops::fuzz;
  const std::vector<Words> records = records_of(data, size);
  feed(records, false);
  feed(records, true);
  return 0;
}
