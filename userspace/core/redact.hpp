// Redaction: names become hashes on their way to an output, so that a recording can be shown to others.
//
// Assumes that names reach an output only through the calls below; what is derived from them (summary,
// advice) is computed behind this sink, from the hashes. Rule: a component of a path, a name of a process
// and an argument of the command line each become 16 hexadecimal digits of a BLAKE2b hash that is keyed by
// 32 random bytes. The key is the recording's own and kept nowhere: a hash can neither be looked up in a
// table of known names nor be compared with another recording's. The same name has the same hash, so that
// what lies on one file, and which files share a folder, still shows. A suffix is part of a name, and goes.
// What the kernel names itself (socket:[4711], anon_inode:[eventpoll]), numbers and block devices stay.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/sink.hpp"

namespace iohops {

using RedactionKey = std::array<unsigned char, 32>;

class Redactor {
 public:
  explicit Redactor(const RedactionKey& key) : key_(key) {}

  std::string name(std::string_view text) const;  // empty stays empty
  std::string path(std::string_view text) const;  // each component by itself
  Header header(Header header) const;
  File file(File file) const;

 private:
  RedactionKey key_;
};

class RedactSink : public Sink {
 public:
  RedactSink(const RedactionKey& key, Sink& next) : redact_(key), next_(next) {}

  Status header(const Header&) override;
  Status process(const Process&) override;
  Status file(const File&) override;
  Status request(const Request&) override;
  Status transfer(const Transfer& transfer) override { return next_.transfer(transfer); }
  Status effect(const Effect& effect) override { return next_.effect(effect); }
  Status flow(const Flow& flow) override { return next_.flow(flow); }
  Status loss(const Loss& loss) override { return next_.loss(loss); }

 private:
  const std::string& comm(std::string_view name);

  Redactor redact_;
  Sink& next_;
  std::unordered_map<std::string, std::string> comms_;  // begun anew when it is full
};

}  // namespace iohops
