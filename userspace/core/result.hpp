// Result<T>: a value, or an error that says what was tried, on what, why it failed and what fixes
// it.
#pragma once

#include <cassert>
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace iohops {

// The values are the exit codes that scripts rely on.
enum class ErrorKind : int {
  kRuntime = 1,
  kUsage = 2,
  kKernel = 3,      // the kernel cannot
  kPermission = 4,  // no permission
  kNoTarget = 5,    // no such process
  kOutput = 6,      // output could not be written
  kLossy = 7,       // lossy beyond --max-lost
  kDamaged = 8,     // damaged input
};

struct Error {
  ErrorKind kind = ErrorKind::kRuntime;
  std::string message;  // one sentence or more, no trailing newline, no program name in front

  int exit_code() const { return static_cast<int>(kind); }
};

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  explicit operator bool() const { return state_.index() == 0; }
  T& operator*() { return value(); }
  const T& operator*() const { return const_cast<Result*>(this)->value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &const_cast<Result*>(this)->value(); }
  T& value() {
    assert(state_.index() == 0);
    return *std::get_if<0>(&state_);
  }
  const Error& error() const {
    assert(state_.index() == 1);
    return *std::get_if<1>(&state_);
  }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}

  explicit operator bool() const { return !error_.has_value(); }
  const Error& error() const {
    assert(error_.has_value());
    return *error_;
  }

 private:
  std::optional<Error> error_;
};

using Status = Result<void>;

}  // namespace iohops
