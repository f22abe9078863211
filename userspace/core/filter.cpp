// The filter's rules and the order in which held records go on.
#include "core/filter.hpp"

#include <algorithm>
#include <charconv>

namespace iohops {
namespace {

// One `[set]` at pattern[at] against c; returns the position after it, npos if it has no end.
size_t match_set(std::string_view pattern, size_t at, char c, bool& matched) {
  size_t i = at + 1;
  const bool negated = i < pattern.size() && (pattern[i] == '!' || pattern[i] == '^');
  if (negated) ++i;
  bool found = false;
  for (bool first = true; i < pattern.size() && (first || pattern[i] != ']'); first = false) {
    const unsigned char low = static_cast<unsigned char>(pattern[i]);
    unsigned char high = low;
    if (i + 2 < pattern.size() && pattern[i + 1] == '-' && pattern[i + 2] != ']') {
      high = static_cast<unsigned char>(pattern[i + 2]);
      i += 2;
    }
    const auto byte = static_cast<unsigned char>(c);
    found = found || (low <= byte && byte <= high);
    ++i;
  }
  if (i >= pattern.size()) return std::string_view::npos;
  matched = found != negated;
  return i + 1;
}

// Does one pattern element at `p` match c? Advances p beyond the element if so.
bool match_one(std::string_view pattern, size_t& p, char c) {
  switch (pattern[p]) {
    case '?':
      ++p;
      return true;
    case '[': {
      bool matched = false;
      const size_t after = match_set(pattern, p, c, matched);
      if (after == std::string_view::npos) break;  // no end: a plain bracket
      if (matched) p = after;
      return matched;
    }
    case '\\':
      if (p + 1 < pattern.size()) {
        if (pattern[p + 1] != c) return false;
        p += 2;
        return true;
      }
      break;
    default:
      break;
  }
  if (pattern[p] != c) return false;
  ++p;
  return true;
}

// "254:0" as a kernel dev_t.
std::optional<uint32_t> parse_device_number(std::string_view text) {
  uint32_t major = 0;
  uint32_t minor = 0;
  const char* end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, major);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != ':') return std::nullopt;
  const auto second = std::from_chars(first.ptr + 1, end, minor);
  if (second.ec != std::errc() || second.ptr != end) return std::nullopt;
  if (major >= 1U << 12 || minor >= 1U << 20) return std::nullopt;
  return major << 20 | minor;
}

}  // namespace

bool glob_match(std::string_view pattern, std::string_view text) {
  size_t p = 0;
  size_t t = 0;
  // Where to go on when the text after the last `*` did not fit: it takes one byte more.
  size_t star = std::string_view::npos;
  size_t star_text = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = ++p;
      star_text = t;
    } else if (p < pattern.size() && match_one(pattern, p, text[t])) {
      ++t;
    } else if (star != std::string_view::npos) {
      p = star;
      t = ++star_text;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

std::set<uint32_t> device_ids(const Filter& filter, const std::vector<Device>& devices) {
  std::set<uint32_t> ids;
  for (const std::string& wanted : filter.devices) {
    const auto number = parse_device_number(wanted);
    if (number) ids.insert(*number);
    for (const Device& device : devices)
      if (device.name == wanted) ids.insert(device.id);
  }
  for (const Device& device : devices)
    if (device.disk != 0 && ids.count(device.disk) != 0) ids.insert(device.id);
  return ids;
}

bool EarlyFilter::wants_path(std::string_view path) const {
  return paths.empty() || std::any_of(paths.begin(), paths.end(), [&](const std::string& glob) {
           return glob_match(glob, path);
         });
}

EarlyFilter early_filter(const Filter& filter, const std::vector<Device>& devices) {
  EarlyFilter early;
  if (!filter.ops.empty()) {
    early.wants_op = [ops = filter.ops](std::string_view op) {
      return std::any_of(ops.begin(), ops.end(),
                         [&](const std::string& glob) { return glob_match(glob, op); });
    };
  }
  early.min_latency_ns = filter.min_latency_ns.value_or(0);
  early.min_bytes = filter.min_bytes.value_or(0);
  const std::set<uint32_t> ids = device_ids(filter, devices);
  early.devices.assign(ids.begin(), ids.end());
  early.paths = filter.paths;
  return early;
}

FilterSink::FilterSink(Filter filter, Sink& next, const FilterLimits& limits)
    : filter_(std::move(filter)), next_(next), limits_(limits), files_(limits.files) {}

Status FilterSink::header(const Header& header) {
  device_ids_ = device_ids(filter_, header.devices);
  return next_.header(header);
}

Status FilterSink::process(const Process& process) { return next_.process(process); }

Status FilterSink::file(const File& file) {
  if (filter_.empty()) return next_.file(file);
  HeldFile* known = files_.find(file.id);
  HeldFile& held =
      known != nullptr ? *known : files_.add(file.id, {}, [](uint64_t, const HeldFile&) {});
  held.file = file;
  held.path_passes =
      std::any_of(filter_.paths.begin(), filter_.paths.end(),
                  [&](const std::string& glob) { return glob_match(glob, file.path); });
  return held.named ? next_.file(file) : Status{};
}

const FilterSink::HeldFile* FilterSink::known_file(uint32_t id) const { return files_.find(id); }

bool FilterSink::op_passes(std::string_view op) const {
  return filter_.ops.empty() ||
         std::any_of(filter_.ops.begin(), filter_.ops.end(),
                     [&](const std::string& glob) { return glob_match(glob, op); });
}

bool FilterSink::device_passes(uint32_t device) const { return device_ids_.count(device) != 0; }

bool FilterSink::devices_only() const {
  return !filter_.devices.empty() && filter_.ops.empty() && filter_.paths.empty() &&
         !filter_.min_latency_ns && !filter_.min_bytes;
}

bool FilterSink::passes(const Request& request) const {
  if (filter_.min_latency_ns && request.duration_ns < *filter_.min_latency_ns) return false;
  if (filter_.min_bytes && request.requested.value_or(0) < *filter_.min_bytes) return false;
  if (!op_passes(request.op)) return false;
  const HeldFile* file = known_file(request.file);
  const HeldFile* target = known_file(request.to_file);
  const auto path_passes = [](const HeldFile* known) {
    return known != nullptr && known->path_passes;
  };
  if (!filter_.paths.empty() && !path_passes(file) && !path_passes(target)) return false;
  if (filter_.devices.empty()) return true;
  if (file != nullptr && device_passes(file->file.dev)) return true;
  if (target != nullptr && device_passes(target->file.dev)) return true;
  return std::any_of(request.hops.begin(), request.hops.end(), [&](const Hop& hop) {
    return hop.kind == HopKind::kDma && device_passes(hop.device);
  });
}

void FilterSink::decide(RequestId id, bool keep) {
  constexpr uint64_t kPerPage = 2048;
  const auto [entry, is_new] = pages_.try_emplace({id.pid, id.seq / kPerPage});
  if (is_new) page_order_.push_back(entry->first);
  Page& page = entry->second;
  page.decided.set(id.seq % kPerPage);
  page.kept.set(id.seq % kPerPage, keep);
  if (pages_.size() <= limits_.verdicts) return;
  pages_.erase(page_order_.front());
  page_order_.pop_front();
  forgot_verdicts_ = true;
}

FilterSink::Verdict FilterSink::verdict(RequestId id) const {
  constexpr uint64_t kPerPage = 2048;
  const auto page = pages_.find({id.pid, id.seq / kPerPage});
  if (page == pages_.end() || !page->second.decided[id.seq % kPerPage]) return Verdict::kUndecided;
  return page->second.kept[id.seq % kPerPage] ? Verdict::kKept : Verdict::kDropped;
}

FilterSink::Verdict FilterSink::verdict(const std::vector<Share>& owners) const {
  Verdict all = Verdict::kDropped;
  for (const Share& owner : owners) {
    const Verdict one = verdict(owner.request);
    if (one == Verdict::kKept) return one;
    if (one == Verdict::kUndecided) all = one;
  }
  return all;
}

Status FilterSink::request(const Request& request) {
  if (filter_.empty()) return next_.request(request);
  last_ns_ = std::max(last_ns_, request.start_ns + request.duration_ns);
  const bool keep = passes(request);
  decide(request.id, keep);
  if (Status sent = release_held(request.id, keep); !sent) return sent;
  if (!keep) return {};
  if (Status named = name_file(request.file); !named) return named;
  if (Status named = name_file(request.to_file); !named) return named;
  return next_.request(request);
}

Status FilterSink::transfer(const Transfer& transfer) {
  if (filter_.empty()) return next_.transfer(transfer);
  if (transfer.owners.empty()) {
    if (devices_only() && device_passes(transfer.device)) return send(transfer);
    return {};
  }
  switch (verdict(transfer.owners)) {
    case Verdict::kKept:
      return send(transfer);
    case Verdict::kDropped:
      return {};
    case Verdict::kUndecided:
      break;
  }
  return hold(transfer);
}

Status FilterSink::hold(const Transfer& transfer) {
  if (held_.size() >= limits_.transfers) {
    held_.erase(held_.begin());
    ++evicted_;
  }
  const uint64_t arrival = arrivals_++;
  Transfer& copy = held_.emplace(arrival, transfer).first->second;
  copy.op = *names_.emplace(transfer.op).first;
  for (std::string_view& flag : copy.flags) flag = *names_.emplace(flag).first;
  for (const Share& owner : transfer.owners)
    if (verdict(owner.request) == Verdict::kUndecided) waiting_.emplace(owner.request, arrival);
  return {};
}

Status FilterSink::release_held(RequestId decided, bool keep) {
  const auto [first, last] = waiting_.equal_range(decided);
  Status result;
  for (auto entry = first; entry != last; ++entry) {
    const auto held = held_.find(entry->second);
    if (held == held_.end()) continue;  // already sent for another owner, or evicted
    if (keep) {
      result = send(held->second);
      held_.erase(held);
      if (!result) break;
    } else if (verdict(held->second.owners) == Verdict::kDropped) {
      held_.erase(held);
    }
  }
  waiting_.erase(first, last);
  return result;
}

Status FilterSink::send(const Transfer& transfer) {
  if (Status named = name_file(transfer.file); !named) return named;
  return next_.transfer(transfer);
}

Status FilterSink::effect(const Effect& effect) {
  if (!filter_.empty()) {
    const Verdict judged = verdict(effect.requests);
    evicted_ += judged == Verdict::kUndecided && forgot_verdicts_;
    if (judged != Verdict::kKept) return {};
  }
  if (Status named = name_file(effect.file); !named) return named;
  return next_.effect(effect);
}

Status FilterSink::flow(const Flow& flow) {
  if (!filter_.empty() && verdict(flow.from) != Verdict::kKept &&
      verdict(flow.to) != Verdict::kKept)
    return {};
  if (Status named = name_file(flow.from_file); !named) return named;
  if (Status named = name_file(flow.to_file); !named) return named;
  return next_.flow(flow);
}

Status FilterSink::loss(const Loss& loss) { return next_.loss(loss); }

Status FilterSink::summary(const Summary& summary) {
  return filter_.empty() ? next_.summary(summary) : Status{};
}

Status FilterSink::settle() {
  if (forgot_verdicts_) evicted_ += held_.size();
  held_.clear();  // else their requests never ended, so none of them passed
  waiting_.clear();
  const uint64_t evicted = std::exchange(evicted_, 0);
  if (evicted == 0) return {};
  return next_.loss({.at_ns = last_ns_, .cause = "evicted", .count = evicted});
}

Status FilterSink::finish(bool truncated) {
  if (Status settled = settle(); !settled) return settled;
  return next_.finish(truncated);
}

Status FilterSink::name_file(uint32_t id) {
  HeldFile* file = files_.find(id);
  if (file == nullptr || file->named) return {};
  file->named = true;
  return next_.file(file->file);
}

}  // namespace iohops
