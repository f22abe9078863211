// What the fuzz targets share. Each target is one file with LLVMFuzzerTestOneInput; libFuzzer makes
// up the inputs, and whatever does not hold ends the process, so that the input is kept.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"
#include "core/sink.hpp"

namespace iohops::fuzz {

// Ends the process with `what`, and the input that led to it is kept.
void require(bool holds, std::string_view what);

// What a hostile file may cause: the error of a damaged input, told without a raw control
// character.
void require_damaged(const Status& status);

// Text for a person: UTF-8, and no control character but the newline.
void require_printable(std::string_view text, std::string_view what);

// A trace as JSON: it is read again, and what `report`, `explain` and `diff` make of it is
// printable. The reader's verdict is returned.
Status read_as_person(const std::string& json);

// A Sink that checks what holds of any ledger, whatever its records said: bytes are conserved,
// nothing ends before it begins, no request is told twice.
class Sound : public Sink {
 public:
  Status request(const Request& request) override;
  Status transfer(const Transfer& transfer) override;
  Status effect(const Effect& effect) override;

 private:
  // By process, bits of the requests that were told: numbers are dense.
  std::map<uint32_t, std::vector<bool>> told_;
};

}  // namespace iohops::fuzz
