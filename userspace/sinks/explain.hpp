// Single requests as waterfalls: what happened when, one line a hop. Sees a trace twice, because
// what a request's devices did can stand before it: first to find the requests, then to gather what
// belongs to them.
#pragma once

#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/rebuild/recent_map.hpp"
#include "core/sink.hpp"
#include "sinks/slowest.hpp"

namespace iohops {

// The ids of the `count` requests that took longest, the longest first.
class SlowestRequests : public Sink {
 public:
  explicit SlowestRequests(size_t count) : slowest_(count) {}
  Status request(const Request& request) override;
  std::vector<RequestId> ids();

 private:
  struct Slow {
    uint64_t duration_ns;
    RequestId id;
  };
  Slowest<Slow> slowest_;
};

struct ExplainOptions {
  size_t width = 100;
  bool color = false;
  bool utf8 = true;
};

// Gathers what belongs to the requests that are wanted; text() tells of each, in the order of
// `wanted`.
class Explanation : public Sink {
 public:
  Explanation(std::vector<RequestId> wanted, const ExplainOptions& options);

  Status header(const Header& header) override;
  Status file(const File& file) override;
  Status request(const Request& request) override;
  Status transfer(const Transfer& transfer) override;
  Status effect(const Effect& effect) override;
  Status finish(bool truncated) override;

  // The first of those wanted that the trace does not have.
  const RequestId* missing() const;
  std::string text() const;

 private:
  struct Case {
    bool found = false;
    Request request;
    std::string comm, op, ended;  // what the request's views point to
    struct Work {
      Transfer transfer;
      std::string op;
    };
    std::vector<Work> works;
    struct Later {
      Cause cause;
      std::string reason;
      uint64_t bytes, at_ns, delay_ns;
    };
    std::vector<Later> later;
    // Requests on the other side, the first few, and the bytes of all.
    struct Others {
      std::vector<Share> first;
      uint64_t bytes = 0;
      void add(RequestId id, uint64_t bytes);
      std::string text() const;  // "4242.17 (64.0 KiB), ..."
    };
    Others served;   // by its readahead
    Others written;  // whose data its transfers carried
  };
  class Page;

  Case* find(const RequestId& id);

  std::vector<RequestId> wanted_;
  ExplainOptions options_;
  std::map<RequestId, Case> cases_;
  void keep_name(uint32_t file);

  static constexpr size_t kNames = 100'000;
  RecentMap<uint64_t, std::string> recent_files_{kNames};  // of the trace so far
  std::unordered_map<uint32_t, std::string> files_;        // that the cases need
  std::unordered_map<uint32_t, std::string> devices_;
  bool truncated_ = false;
};

}  // namespace iohops
