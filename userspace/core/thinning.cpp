#include "core/thinning.hpp"

#include <algorithm>

namespace iohops {
namespace {

// splitmix64: neighbouring ids fall anywhere.
uint64_t scattered(uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

bool served_at_once(const Request& r) {
  return r.cache == CacheOutcome::kHit && r.complete && r.result >= 0 && r.miss_bytes == 0 &&
         r.dirtied_bytes == 0 && r.readahead_bytes == 0 && r.dma_transfers == 0 && r.off_cpu_ns == 0;
}

}  // namespace

std::string Thinning::text() const {
  std::string text = misses_only ? "misses" : "";
  if (one_of > 1) text += (text.empty() ? "1/" : ", 1/") + std::to_string(one_of);
  return text;
}

bool ThinSink::sampled(const RequestId& id) const {
  return thinning_.one_of <= 1 || scattered(scattered(id.pid) ^ id.seq) % thinning_.one_of == 0;
}

bool ThinSink::sampled(const std::vector<Share>& owners) const {
  return owners.empty() ||
         std::any_of(owners.begin(), owners.end(), [&](const Share& share) { return sampled(share.request); });
}

Status ThinSink::request(const Request& request) {
  if (sampled(request.id) && !(thinning_.misses_only && served_at_once(request))) return next_.request(request);
  ++left_out_;
  return {};
}

Status ThinSink::transfer(const Transfer& transfer) {
  return sampled(transfer.owners) ? next_.transfer(transfer) : Status{};
}

Status ThinSink::effect(const Effect& effect) {
  return sampled(effect.requests) ? next_.effect(effect) : Status{};
}

Status ThinSink::flow(const Flow& flow) { return sampled(flow.to) ? next_.flow(flow) : Status{}; }

}  // namespace iohops
