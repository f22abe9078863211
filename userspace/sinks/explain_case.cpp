// What an explanation keeps of a trace while it streams by: the requests that are wanted, and what others did for
// them. Sees records; explain.cpp makes the text.
#include <fmt/format.h>

#include <algorithm>

#include "sinks/explain.hpp"
#include "sinks/text.hpp"

namespace iohops {
namespace {

constexpr size_t kNamed = 5;  // of other requests

}  // namespace

Explanation::Explanation(std::vector<RequestId> wanted, const ExplainOptions& options)
    : wanted_(std::move(wanted)), options_(options) {
  for (const RequestId& id : wanted_) cases_[id];
}

Explanation::Case* Explanation::find(const RequestId& id) {
  const auto known = cases_.find(id);
  return known == cases_.end() ? nullptr : &known->second;
}

Status Explanation::header(const Header& header) {
  for (const Device& device : header.devices) devices_[device.id] = device.name;
  return {};
}

Status Explanation::file(const File& file) {
  if (std::string* known = recent_files_.find(file.id))
    *known = file.path;
  else
    recent_files_.add(file.id, file.path, [](uint64_t, const std::string&) {});
  return {};
}

// Names come before their first use.
void Explanation::keep_name(uint32_t file) {
  if (const std::string* known = recent_files_.find(file)) files_.try_emplace(file, *known);
}

Status Explanation::request(const Request& request) {
  for (const Share& share : request.readahead_of) {
    Case* trigger = find(share.request);
    if (trigger == nullptr) continue;
    trigger->served.add(request.id, share.bytes);
  }
  Case* wanted = find(request.id);
  if (wanted == nullptr) return {};
  wanted->found = true;
  keep_name(request.file);
  keep_name(request.to_file);
  wanted->request = request;
  wanted->comm = request.comm;
  wanted->op = request.op;
  wanted->ended = request.ended;
  wanted->request.comm = wanted->comm;
  wanted->request.op = wanted->op;
  wanted->request.ended = wanted->ended;
  return {};
}

Status Explanation::transfer(const Transfer& transfer) {
  for (const Share& owner : transfer.owners) {
    Case* wanted = find(owner.request);
    if (wanted == nullptr) continue;
    const bool again = !wanted->works.empty() && wanted->works.back().transfer.id == transfer.id;
    if (again) continue;  // a request can own it twice
    keep_name(transfer.file);
    Case::Work& work = wanted->works.emplace_back(Case::Work{transfer, std::string(transfer.op)});
    work.transfer.op = {};  // they live as long as this call
    work.transfer.flags.clear();
  }
  return {};
}

void Explanation::Case::Others::add(RequestId id, uint64_t more) {
  bytes += more;
  for (Share& share : first) {
    if (share.request != id) continue;
    share.bytes += more;
    return;
  }
  if (first.size() <= kNamed) first.push_back({id, more});
}

std::string Explanation::Case::Others::text() const {
  std::string names;
  for (size_t i = 0; i < std::min(first.size(), kNamed); ++i)
    names += fmt::format("{}{}.{} ({})", i > 0 ? ", " : "", first[i].request.pid, first[i].request.seq,
                         iohops::text::bytes(first[i].bytes));
  return first.size() > kNamed ? names + ", ..." : names;
}

Status Explanation::effect(const Effect& effect) {
  // A transfer stands before its effects.
  if (effect.cause == Cause::kFsync)
    for (auto& [id, wanted] : cases_)
      if (std::any_of(wanted.works.begin(), wanted.works.end(),
                      [&](const Case::Work& work) { return work.transfer.id == effect.transfer; }))
        for (const Share& share : effect.requests)
          if (share.request != id) wanted.written.add(share.request, share.bytes);
  for (const Share& share : effect.requests)
    if (Case* wanted = find(share.request); wanted != nullptr)
      wanted->later.push_back(
          {effect.cause, std::string(effect.reason), share.bytes, effect.at_ns, effect.delay_ns});
  return {};
}

Status Explanation::finish(bool truncated) {
  truncated_ = truncated;
  return {};
}

const RequestId* Explanation::missing() const {
  for (const RequestId& id : wanted_)
    if (!cases_.at(id).found) return &id;
  return nullptr;
}

}  // namespace iohops
