// JsonWriter: writes a trace as JSON Lines or as one JSON document with one record a line.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/bytes.hpp"
#include "core/form.hpp"
#include "core/sink.hpp"

namespace iohops {

class JsonBuffer;
class JsonForm;
class JsonLine;
class JsonWho;

// Records are formatted straight into one buffer, without a DOM. Of requests that are alike only the numbers
// are: the rest of the line is kept. Names are escaped once and remembered. The buffer goes to the writer when it
// is full, at flush() and at finish(); what has been flushed can be read up to its last full line.
class JsonWriter : public Sink {
 public:
  JsonWriter(ByteWriter& out, Form form);
  ~JsonWriter() override;

  Status header(const Header&) override;
  Status process(const Process&) override;
  Status file(const File&) override;
  Status request(const Request&) override;
  Status transfer(const Transfer&) override;
  Status effect(const Effect&) override;
  Status flow(const Flow&) override;
  Status loss(const Loss&) override;
  Status summary(const Summary&) override;
  Status finish(bool truncated) override;  // does not close the ByteWriter

  Status flush();
  // Requests in what the ByteWriter has taken: they are readable even if a later write failed.
  uint64_t requests_written() const;

 private:
  JsonLine line(size_t room);
  JsonBuffer& begin_record();
  Status end_record();
  bool write_alike(const Request&);
  const JsonWho* who(const Request&);
  void write_request(const Request&);
  void text(std::string_view raw);                        // quoted and escaped
  void name(std::string_view key, std::string_view raw);  // and raw bytes beside, if not UTF-8
  void hop(const Hop&);
  void outcome(const Request&);
  void destination(const Request&);
  void ring(const RingFacts&);
  void stage(const Transfer&);
  void shares(const std::vector<Share>&);

  Form form_;
  std::unique_ptr<JsonBuffer> buffer_;
  std::unordered_map<std::string, std::string> escaped_;  // bounded: cleared when full
  std::unordered_map<uint32_t, std::string> paths_;       // for the summary's files, bounded
  // By Request::alike, as many as there are kinds at a time.
  struct Alike {
    uint64_t number = 0;
    std::unique_ptr<JsonForm> form;
  };
  std::vector<Alike> alike_;
  std::vector<JsonWho> who_;  // by thread, bounded
  uint64_t names_ = 0;        // that were put there
  bool first_record_ = true;
  bool summarized_ = false;
};

}  // namespace iohops
