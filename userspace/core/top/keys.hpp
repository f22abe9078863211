// TopKey: a key press, without the terminal that it came from.
#pragma once

#include <cstdint>

namespace iohops {

struct TopKey {
  enum class Code : uint8_t {
    kCharacter,
    kUp,
    kDown,
    kLeft,
    kRight,
    kPageUp,
    kPageDown,
    kHome,
    kEnd,
    kEnter,
    kEscape,
    kBackspace,
    kDelete,
    kTab,
    kHelp,  // F1
    kOther,
  };
  Code code = Code::kOther;
  char32_t character = 0;  // kCharacter
};

}  // namespace iohops
