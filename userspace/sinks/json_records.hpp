// JsonRecords: one parsed JSON record into the model struct that it stands for, and into a Sink.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/sink.hpp"
#include "sinks/json_fields.hpp"
#include "sinks/json_form.hpp"

namespace iohops {

class JsonRecords {
 public:
  explicit JsonRecords(Sink& sink) : sink_(sink) {}

  // What is wrong with the record goes to `error`, and the sink is not called; the Status is the
  // sink's own. A type that this version does not know is skipped.
  Status hand_over(simdjson::dom::object record, std::string& error);

  // The request of a line that has the form of one before it: that needs no parser. nullptr: it is something else.
  const Request* like_one_before(std::string_view line);
  // The line of the request that was handed over last.
  void remember(std::string_view line);
  Status hand_over(const Request& request) { return sink_.request(request); }

  bool has_header() const { return has_header_; }
  bool has_summary() const { return has_summary_; }

 private:
  Status header(Fields&);
  Status process(Fields&);
  Status file(Fields&);
  Status request(Fields&);
  Status transfer(Fields&);
  Status effect(Fields&);
  Status flow(Fields&);
  Status loss(Fields&);
  Status summary(Fields&);

  Sink& sink_;
  struct Known {
    uint64_t mark = 0;
    uint64_t alike = 0;
    JsonForm form;
    std::string op;
    Request request;
  };
  // Forms of one mark: what else tells them apart (hit or miss, the kind of file) is not worth a look.
  static constexpr size_t kWays = 8;

  Request request_;  // reused: its hops keep their memory
  std::string op_;
  bool is_request_ = false;  // the record that was handed over last
  std::vector<std::unique_ptr<Known>> known_;  // by mark, kWays of each
  uint64_t kept_ = 0;
  uint64_t matched_ = 0;
  bool has_header_ = false;
  bool has_summary_ = false;
};

}  // namespace iohops
