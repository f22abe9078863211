#include "core/redact.hpp"

#include <sodium/crypto_generichash.h>

#include <algorithm>

namespace iohops {
namespace {

constexpr size_t kShownBytes = 8;  // two of a million names meet with a chance of one in 40 million
constexpr size_t kComms = 65536;

bool kernel_named(const File& file) {
  if (file.kind == FileKind::kSocket || file.filesystem == "anon_inodefs") return true;
  const std::string number = ":[" + std::to_string(file.inode) + "]";
  return file.path == file.filesystem + number || file.path == "pipe" + number;
}

}  // namespace

std::string Redactor::name(std::string_view text) const {
  if (text.empty()) return "";
  std::array<unsigned char, crypto_generichash_BYTES_MIN> hash{};
  crypto_generichash(hash.data(), hash.size(), reinterpret_cast<const unsigned char*>(text.data()), text.size(),
                     key_.data(), key_.size());
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string shown;
  for (size_t i = 0; i < kShownBytes; ++i) {
    shown += kDigits[hash[i] >> 4];
    shown += kDigits[hash[i] & 15];
  }
  return shown;
}

std::string Redactor::path(std::string_view text) const {
  std::string shown;
  while (!text.empty()) {
    const size_t slash = std::min(text.find('/'), text.size());
    shown += name(text.substr(0, slash));
    if (slash < text.size()) shown += '/';
    text.remove_prefix(std::min(slash + 1, text.size()));
  }
  return shown;
}

Header Redactor::header(Header header) const {
  header.redacted = true;
  for (std::string& argument : header.command_line) argument = path(argument);
  header.host = name(header.host);
  for (Target& target : header.targets) target.comm = name(target.comm);
  for (Device& device : header.devices)
    if (device.id >> 20 == kNetworkMajor && device.name != "lo") device.name = name(device.name);
  // Of what cannot be hooked, the reason may name a file.
  for (MissingHook& hook : header.missing_hooks)
    if (hook.reason.find('/') != std::string::npos) hook.reason = "redacted";
  return header;
}

File Redactor::file(File file) const {
  if (!kernel_named(file)) file.path = path(file.path);
  return file;
}

Status RedactSink::header(const Header& header) { return next_.header(redact_.header(header)); }

Status RedactSink::process(const Process& process) {
  Process shown = process;
  shown.comm = redact_.name(process.comm);
  return next_.process(shown);
}

Status RedactSink::file(const File& file) { return next_.file(redact_.file(file)); }

Status RedactSink::request(const Request& request) {
  Request shown = request;
  shown.comm = comm(request.comm);
  return next_.request(shown);
}

const std::string& RedactSink::comm(std::string_view name) {
  if (comms_.size() >= kComms) comms_.clear();
  const auto [entry, is_new] = comms_.try_emplace(std::string(name));
  if (is_new) entry->second = redact_.name(name);
  return entry->second;
}

}  // namespace iohops
