#include "cli/top_names.hpp"

#include <algorithm>

#include "core/ops.hpp"

namespace iohops {

TopNames::TopNames(const Filter& filter, const std::vector<Device>& devices, uint64_t start_ns,
                   TopModel& model)
    : filter_(filter),
      devices_(device_ids(filter, devices)),
      model_(model),
      names_(start_ns, *this) {}

Status TopNames::process(const Process& process) {
  model_.name_process(process);
  return {};
}

Status TopNames::file(const File& file) {
  files_.add(file.id, file, [](uint64_t, const File&) {});
  return {};
}

void TopNames::name_alias(const wire_file& record) {
  bool is_new = false;
  const Result<FileState*> state = names_.file(record, is_new);
  if (!state) return;
  const File* file = files_.find((*state)->id);
  if (file == nullptr) return;
  model_.name_file(record.file, *file);
  const bool path = filter_.paths.empty() || std::any_of(filter_.paths.begin(), filter_.paths.end(),
                                                         [&](const std::string& glob) {
                                                           return glob_match(glob, file->path);
                                                         });
  const bool device = filter_.devices.empty() || devices_.count(file->dev) != 0;
  if (bool* known = verdicts_.find(record.file))
    *known = path && device;
  else
    verdicts_.add(record.file, path && device, [](uint64_t, bool) {});
}

void TopNames::record(Record record) {
  const auto* header = view<wire_header>(record);
  if (header == nullptr || !check_record(record)) return;
  // A name that cannot be kept costs a row its name, nothing else.
  switch (header->kind) {
    case WIRE_PROCESS:
      (void)names_.process(*view<wire_process>(record));
      break;
    case WIRE_PROCESS_EXIT:
      (void)names_.process_exit(*view<wire_process_exit>(record));
      break;
    case WIRE_FILE:
      name_alias(*view<wire_file>(record));
      break;
    default:
      break;
  }
}

bool TopNames::passes(const wire_tally_key& key) const {
  if (!filter_.paths.empty() || !filter_.devices.empty()) {
    const bool* verdict = verdicts_.find(key.file);
    if (verdict == nullptr || !*verdict) return false;
  }
  if (filter_.ops.empty() || key.op == WIRE_OP_DEVICE) return true;
  return std::any_of(filter_.ops.begin(), filter_.ops.end(),
                     [&](const std::string& glob) { return glob_match(glob, op_name(key.op)); });
}

}  // namespace iohops
