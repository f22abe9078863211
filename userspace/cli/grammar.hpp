// What a subcommand says of its options. CLI11, which parses them, takes longer to compile than all
// the rest of a subcommand: only grammar.cpp and parse.cpp see it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace iohops {

// Of the help: the options that every subcommand has.
inline constexpr const char* kCommonGroup = "Common";

// How the value of an option looks.
struct ValueShape {
  const char* text;        // in the help, behind the option's name: "PID[,PID...]"
  const char* type;        // one value, for messages and for what completion offers: "PID"
  const char* group = "";  // of the help; "": among the subcommand's own
};

struct NumberRange {
  uint32_t least, most;
};

// The line after "Usage: iohops NAME", and what stands at the end of the help.
void set_help(CLI::App& app, const std::string& usage, const std::string& examples);
void describe(CLI::App& app, const std::string& what, const std::string& usage,
              const std::string& examples);

// NAMES is "-o,--output", or a bare word for what stands without a name. What `into` held before is
// its value if the option is not given; it must live until the command line is parsed.
void add_flag(CLI::App& app, const char* names, bool& into, const char* help,
              const char* group = "");
// Given twice it counts two.
void add_counter(CLI::App& app, const char* names, int& into, const char* help, const char* group);
void add_value(CLI::App& app, const char* names, std::string& into, const std::string& help,
               const ValueShape& shape);
// May be given more than once; without a name: all such words.
void add_values(CLI::App& app, const char* names, std::vector<std::string>& into, const char* help,
                const ValueShape& shape);
void add_choice(CLI::App& app, const char* names, std::string& into, const char* help,
                const std::vector<std::string>& choices, const char* group = "");
void add_number(CLI::App& app, const char* names, uint32_t& into, const char* help,
                NumberRange range, const char* text);

}  // namespace iohops
