// Fields: strict, typed access to the members of one parsed JSON object. For the readers only: it
// brings simdjson with it.
#pragma once

#include <simdjson.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/model/model.hpp"

namespace iohops {

// The first member that is missing or has the wrong type sets `error`; from then on every call
// gives a default, so that a record is read straight through and checked once.
//
// Members are looked for from where the last one was found: reading them in the order in which
// they were written takes one pass.
class Fields {
 public:
  // `what` names the object in errors. Both must outlive this.
  Fields(simdjson::dom::object object, std::string_view what, std::string& error)
      : object_(object), at_(object.begin()), what_(what), error_(error) {}

  uint64_t u64(std::string_view key);
  uint32_t u32(std::string_view key);
  int64_t i64(std::string_view key);
  int32_t i32(std::string_view key);
  double real(std::string_view key);
  bool boolean(std::string_view key);
  std::string_view text(std::string_view key);  // valid until the parser's next document
  std::string name(std::string_view key);       // the raw bytes, from key_b64 where there is one
  Fields object(std::string_view key);
  RequestId request_id(std::string_view key);
  uint64_t id(std::string_view key);      // a 64-bit number in a string
  uint32_t device(std::string_view key);  // "254:0"

  // These may be null or absent: nullopt, 0, false or "" then.
  bool present(std::string_view key);
  std::optional<uint64_t> maybe_u64(std::string_view key);
  std::optional<double> maybe_real(std::string_view key);
  uint64_t count(std::string_view key);
  uint32_t file(std::string_view key);
  uint64_t maybe_id(std::string_view key);
  uint32_t maybe_device(std::string_view key);
  bool flag(std::string_view key);
  std::string_view maybe_text(std::string_view key);

  template <typename Enum>
  Enum one_of(std::string_view key, std::optional<Enum> (*parse)(std::string_view)) {
    const std::string_view value = text(key);
    if (!error_.empty()) return Enum{};
    const std::optional<Enum> known = parse(value);
    if (!known) fail(key, "has a value that this version does not know");
    return known.value_or(Enum{});
  }

  // Calls each(element) for the elements of an array, each(key, element) for the members of an
  // object.
  template <typename F>
  void elements(std::string_view key, F each) {
    simdjson::dom::array array;
    if (!get(key, "an array", array)) return;
    for (const simdjson::dom::element element : array) {
      if (!error_.empty()) return;
      each(element);
    }
  }
  template <typename F>
  void objects(std::string_view key, F each) {
    elements(key, [&](simdjson::dom::element element) {
      simdjson::dom::object object;
      if (element.get(object)) return fail(key, "has an element that is not an object");
      Fields fields(object, key, error_);
      each(fields);
    });
  }
  template <typename F>
  void texts(std::string_view key, F each) {
    elements(key, [&](simdjson::dom::element element) {
      std::string_view value;
      if (element.get(value)) return fail(key, "has an element that is not a string");
      each(value);
    });
  }
  template <typename F>
  void members(std::string_view key, F each) {
    simdjson::dom::object object;
    if (!get(key, "an object", object)) return;
    for (const auto& [member, value] : object) {
      if (!error_.empty()) return;
      each(member, value);
    }
  }
  template <typename F>
  void member_objects(std::string_view key, F each) {
    members(key, [&](std::string_view member, simdjson::dom::element element) {
      simdjson::dom::object object;
      if (element.get(object)) return fail(key, "has a member that is not an object");
      Fields fields(object, key, error_);
      each(member, fields);
    });
  }

  bool ok() const { return error_.empty(); }
  void fail(std::string_view key, std::string_view why);

 private:
  std::optional<simdjson::dom::element> find(std::string_view key);  // nullopt: null or absent
  template <typename T>
  bool get(std::string_view key, std::string_view type, T& into);
  template <typename T>
  std::optional<T> maybe(std::string_view key, std::string_view type);
  uint32_t narrow(std::string_view key, uint64_t value);
  uint64_t parsed_id(std::string_view key, std::string_view text);
  uint32_t parsed_device(std::string_view key, std::string_view text);

  simdjson::dom::object object_;
  simdjson::dom::object::iterator at_;
  bool skipped_ = false;  // a member before at_ has not been asked for yet
  std::string_view what_;
  std::string& error_;
};

template <typename T>
bool Fields::get(std::string_view key, std::string_view type, T& into) {
  if (!error_.empty()) return false;
  const auto element = find(key);
  if (!element) {
    fail(key, "is missing");
    return false;
  }
  if (element->get(into)) {
    fail(key, std::string("is not ") + std::string(type));
    return false;
  }
  return true;
}

template <typename T>
std::optional<T> Fields::maybe(std::string_view key, std::string_view type) {
  if (!error_.empty()) return std::nullopt;
  const auto element = find(key);
  if (!element) return std::nullopt;
  T value{};
  if (!element->get(value)) return value;
  fail(key, std::string("is not ") + std::string(type));
  return std::nullopt;
}

// "4242.17"
std::optional<RequestId> parse_request_id(std::string_view text);

}  // namespace iohops
