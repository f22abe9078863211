// Fanout: hands every record to several sinks, in order. The first error stops the call.
#pragma once

#include <type_traits>
#include <utility>
#include <vector>

#include "core/sink.hpp"

namespace iohops {

class Fanout : public Sink {
 public:
  explicit Fanout(std::vector<Sink*> sinks) : sinks_(std::move(sinks)) {}

  Status header(const Header& r) override { return each(&Sink::header, r); }
  Status process(const Process& r) override { return each(&Sink::process, r); }
  Status file(const File& r) override { return each(&Sink::file, r); }
  Status request(const Request& r) override { return each(&Sink::request, r); }
  Status transfer(const Transfer& r) override { return each(&Sink::transfer, r); }
  Status effect(const Effect& r) override { return each(&Sink::effect, r); }
  Status flow(const Flow& r) override { return each(&Sink::flow, r); }
  Status loss(const Loss& r) override { return each(&Sink::loss, r); }
  Status summary(const Summary& r) override { return each(&Sink::summary, r); }
  Status finish(bool truncated) override { return each(&Sink::finish, truncated); }

 private:
  template <typename Argument>
  Status each(Status (Sink::*call)(Argument), std::type_identity_t<Argument> argument) {
    for (Sink* sink : sinks_) {
      if (Status status = (sink->*call)(argument); !status) return status;
    }
    return {};
  }

  std::vector<Sink*> sinks_;
};

}  // namespace iohops
