#include "sinks/json_header.hpp"

#include <simdjson.h>

#include <bit>
#include <charconv>
#include <nlohmann/json.hpp>

#include "sinks/json_fields.hpp"
#include "sinks/json_text.hpp"

namespace iohops {
namespace {

using Json = nlohmann::ordered_json;

std::string device_text(uint32_t id) {
  return std::to_string(id >> 20) + ":" + std::to_string(id & 0xfffffU);
}

Json devices_tree(const std::vector<Device>& devices) {
  Json list = Json::array();
  for (const Device& device : devices) {
    list.push_back({{"id", device_text(device.id)},
                    {"name", device.name},
                    {"driver", device.driver},
                    {"dma", device.dma},
                    {"logical_block_size", device.logical_block_size}});
  }
  return list;
}

Json hooks_tree(const Header& header) {
  Json missing = Json::array();
  for (const MissingHook& hook : header.missing_hooks) {
    missing.push_back({{"hook", hook.hook}, {"reason", hook.reason}, {"effect", hook.effect}});
  }
  return {{"attached", header.hooks}, {"missing", std::move(missing)}};
}

// The arguments, and all of them as raw bytes beside if one is not UTF-8.
void put_command_line(Json& tree, const std::vector<std::string>& command_line) {
  tree["command_line"] = command_line;
  for (const std::string& argument : command_line) {
    if (is_utf8(argument)) continue;
    Json raw = Json::array();
    for (const std::string& each : command_line) raw.push_back(base64(each));
    tree["command_line_b64"] = std::move(raw);
    return;
  }
}

void read_command_line(Fields& fields, std::vector<std::string>& into) {
  fields.texts("command_line", [&](std::string_view argument) { into.emplace_back(argument); });
  if (!fields.present("command_line_b64")) return;
  into.clear();
  fields.texts("command_line_b64", [&](std::string_view text) {
    std::optional<std::string> raw = from_base64(text);
    if (!raw) return fields.fail("command_line_b64", "is not base64");
    into.push_back(std::move(*raw));
  });
}

void check_version(Fields& fields, std::string_view version) {
  unsigned major = 0;
  const char* end = version.data() + version.size();
  const auto [stop, problem] = std::from_chars(version.data(), end, major);
  if (problem != std::errc() || stop == end || *stop != '.') {
    return fields.fail("version", "is not MAJOR.MINOR");
  }
  const auto ours = static_cast<unsigned>(kFormatVersion[0] - '0');
  if (major != ours) {
    fields.fail("version", "is " + std::string(version) + ", this iohops reads " +
                               std::to_string(ours) + ".x: read it with the iohops that wrote it");
  }
}

}  // namespace

std::string header_json(const Header& header) {
  Json tree{{"type", "header"},
            {"format", "iohops"},
            {"version", kFormatVersion},
            {"tool_version", header.tool_version}};
  put_command_line(tree, header.command_line);
  tree["host"] = header.host;
  tree["kernel"] = header.kernel;
  tree["machine"] = header.machine;
  tree["start_time"] = header.start_time;
  tree["clock"] = header.clock;
  tree["page_size"] = header.page_size;
  tree["cpus"] = header.cpus;
  tree["scope"] = header.scope;
  if (header.redacted) tree["redacted"] = true;
  if (!header.thinned.empty()) tree["thinned"] = header.thinned;
  if (header.light) tree["light"] = true;
  Json& targets = tree["targets"] = Json::array();
  for (const Target& target : header.targets) {
    Json entry{{"pid", target.pid}};
    put_name(entry, "comm", target.comm);
    targets.push_back(std::move(entry));
  }
  tree["devices"] = devices_tree(header.devices);
  tree["hooks"] = hooks_tree(header);
  Json& evidence = tree["evidence"] = Json::object();
  for (const auto& [figure, grade] : header.evidence) {
    evidence[figure] = {{"grade", name(grade.first)}, {"why_not_better", grade.second}};
  }
  return json_dump(tree);
}

Header read_header(Fields& fields) {
  Header header;
  if (fields.text("format") != "iohops") fields.fail("format", "is not \"iohops\"");
  check_version(fields, fields.text("version"));
  header.tool_version = fields.text("tool_version");
  read_command_line(fields, header.command_line);
  header.host = fields.text("host");
  header.kernel = fields.text("kernel");
  header.machine = fields.maybe_text("machine");
  header.start_time = fields.text("start_time");
  header.clock = fields.text("clock");
  if (fields.present("page_size")) header.page_size = fields.u32("page_size");
  // The rebuild divides by it, and multiplies page numbers.
  if (!std::has_single_bit(header.page_size) || header.page_size < 512 || header.page_size > 1U << 18)
    fields.fail("page_size", "is no size of a page");
  if (fields.present("cpus")) header.cpus = fields.u32("cpus");
  header.scope = fields.maybe_text("scope");
  header.redacted = fields.present("redacted") && fields.boolean("redacted");
  if (fields.present("thinned")) header.thinned = fields.text("thinned");
  header.light = fields.flag("light");
  fields.objects("targets", [&](Fields& target) {
    header.targets.push_back({target.u32("pid"), target.name("comm")});
  });
  fields.objects("devices", [&](Fields& device) {
    Device entry;
    entry.id = device.device("id");
    entry.name = device.text("name");
    entry.driver = device.text("driver");
    entry.dma = device.boolean("dma");
    entry.logical_block_size = device.u32("logical_block_size");
    header.devices.push_back(std::move(entry));
  });
  Fields hooks = fields.object("hooks");
  hooks.texts("attached", [&](std::string_view hook) { header.hooks.emplace_back(hook); });
  hooks.objects("missing", [&](Fields& hook) {
    MissingHook entry;
    entry.hook = hook.text("hook");
    entry.reason = hook.text("reason");
    entry.effect = hook.text("effect");
    header.missing_hooks.push_back(std::move(entry));
  });
  fields.member_objects("evidence", [&](std::string_view figure, Fields& grade) {
    const Evidence evidence = grade.one_of("grade", parse_evidence);
    header.evidence[std::string(figure)] = {evidence, std::string(grade.text("why_not_better"))};
  });
  return header;
}

Result<Header> parse_header(std::string_view text) {
  const auto damaged = [](std::string_view why) {
    return Error{ErrorKind::kDamaged, "the header of the trace is damaged: " + std::string(why)};
  };
  simdjson::dom::parser parser;
  simdjson::dom::object object;
  if (const auto problem = parser.parse(text.data(), text.size()).get(object); problem) {
    return damaged(simdjson::error_message(problem));
  }
  std::string error;
  Fields fields(object, "header", error);
  Header header = read_header(fields);
  if (!fields.ok()) return damaged(error);
  return header;
}

}  // namespace iohops
