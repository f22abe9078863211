// JsonRecords: one parsed JSON record into the model struct that it stands for, and into a Sink.
#pragma once

#include <string>

#include "core/sink.hpp"
#include "sinks/json_fields.hpp"

namespace iohops {

class JsonRecords {
 public:
  explicit JsonRecords(Sink& sink) : sink_(sink) {}

  // What is wrong with the record goes to `error`, and the sink is not called; the Status is the
  // sink's own. A type that this version does not know is skipped.
  Status hand_over(simdjson::dom::object record, std::string& error);

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
  Request request_;  // reused: its hops keep their memory
  bool has_header_ = false;
  bool has_summary_ = false;
};

}  // namespace iohops
