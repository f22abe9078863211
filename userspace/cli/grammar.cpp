#include "cli/grammar.hpp"

#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <memory>
#include <utility>

namespace iohops {
namespace {

class HelpFormatter : public CLI::Formatter {
 public:
  explicit HelpFormatter(std::string usage) : usage_(std::move(usage)) { column_width(32); }

  std::string make_usage(const CLI::App* app, std::string) const override {
    const bool top = app->get_parent() == nullptr;
    return "\nUsage: iohops " + (top ? std::string() : app->get_name() + " ") + usage_ + "\n";
  }

  // The base class leaves two empty lines between groups.
  std::string make_help(const CLI::App* app, std::string name,
                        CLI::AppFormatMode mode) const override {
    std::string help = CLI::Formatter::make_help(app, std::move(name), mode);
    for (size_t at = 0; (at = help.find("\n\n\n", at)) != std::string::npos;) help.erase(at, 1);
    return help;
  }

 private:
  std::string usage_;
};

void put_into(CLI::Option* option, const char* group) {
  if (*group != '\0') option->group(group);
}

void shape_as(CLI::Option* option, const ValueShape& shape) {
  option->option_text(shape.text)->type_name(shape.type);
  put_into(option, shape.group);
}

}  // namespace

void set_help(CLI::App& app, const std::string& usage, const std::string& examples) {
  app.formatter(std::make_shared<HelpFormatter>(usage));
  app.footer(examples);
}

void describe(CLI::App& app, const std::string& what, const std::string& usage,
              const std::string& examples) {
  app.description(what);
  set_help(app, usage, examples);
}

void add_flag(CLI::App& app, const char* names, bool& into, const char* help, const char* group) {
  put_into(app.add_flag(names, into, help), group);
}

void add_counter(CLI::App& app, const char* names, int& into, const char* help, const char* group) {
  put_into(app.add_flag(names, into, help), group);
}

void add_value(CLI::App& app, const char* names, std::string& into, const std::string& help,
               const ValueShape& shape) {
  shape_as(app.add_option(names, into, help), shape);
}

void add_values(CLI::App& app, const char* names, std::vector<std::string>& into, const char* help,
                const ValueShape& shape) {
  // An option takes one value at a time, or it would swallow what stands behind it.
  shape_as(app.add_option(names, into, help)->allow_extra_args(*names != '-'), shape);
}

void add_choice(CLI::App& app, const char* names, std::string& into, const char* help,
                const std::vector<std::string>& choices, const char* group) {
  CLI::Option* option = app.add_option(names, into, help)
                            ->check(CLI::IsMember(choices))
                            ->option_text(fmt::format("{}", fmt::join(choices, "|")));
  put_into(option, group);
}

void add_number(CLI::App& app, const char* names, uint32_t& into, const char* help,
                NumberRange range, const char* text) {
  app.add_option(names, into, help)->check(CLI::Range(range.least, range.most))->option_text(text);
}

}  // namespace iohops
