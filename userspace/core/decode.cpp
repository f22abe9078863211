// Checks on wire records: every length is compared with what is there before it is used.
#include "core/decode.hpp"

#include <cstring>
#include <string>

namespace iohops {
namespace {

constexpr size_t kHeaderBytes = sizeof(wire_header);

Error damaged(std::string what) { return {ErrorKind::kDamaged, std::move(what)}; }

// The fixed part of a known kind; 0 for a kind that is not known.
size_t fixed_bytes(uint16_t kind) {
  if (WIRE_IS_SAME(kind)) return same_bytes(kind);
  switch (kind) {
    case WIRE_PROCESS:
      return sizeof(wire_process);
    case WIRE_PROCESS_EXIT:
      return sizeof(wire_process_exit);
    case WIRE_THREAD:
      return sizeof(wire_thread);
    case WIRE_FILE:
      return sizeof(wire_file);
    case WIRE_REQUEST:
      return sizeof(wire_request);
    case WIRE_PAGES:
      return sizeof(wire_pages);
    case WIRE_WAIT:
      return sizeof(wire_wait);
    case WIRE_TRANSFER:
      return WIRE_TRANSFER_FIRST;
    case WIRE_BIO:
      return WIRE_BIO_FIRST;
    case WIRE_DEVICE:
      return sizeof(wire_device);
    case WIRE_PACKET:
      return sizeof(wire_packet);
    case WIRE_LOSS:
      return sizeof(wire_loss_record);
    case WIRE_END:
      return WIRE_END_FIRST;
    default:
      return 0;
  }
}

Status check_file(Record record) {
  const auto* file = view<wire_file>(record);
  if (file->path_bytes > record.size() - sizeof(wire_file)) {
    return damaged("a file record claims a path of " + std::to_string(file->path_bytes) +
                   " bytes in a record of " + std::to_string(record.size()));
  }
  if (file->path_bytes > 0 && file->path[file->path_bytes - 1] != '\0') {
    return damaged("a file record has a path that does not end");
  }
  return {};
}

Status check_request(Record record) {
  const auto* request = view<wire_request>(record);
  if ((request->flags & WIRE_REQUEST_DETAIL) != 0 && record.size() < WIRE_REQUEST_DETAIL_FIRST) {
    return damaged("a request record with detail has " + std::to_string(record.size()) +
                   " bytes, it needs " + std::to_string(WIRE_REQUEST_DETAIL_FIRST));
  }
  return {};
}

}  // namespace

Error no_record(Record rest) {
  const size_t size = claimed_size(rest);
  if (rest.size() < kHeaderBytes)
    return damaged("a record header is cut short after " + std::to_string(rest.size()) + " bytes");
  if (size < kHeaderBytes || size % 8 != 0)
    return damaged("a record claims a size of " + std::to_string(size) + " bytes");
  return damaged("a record of " + std::to_string(size) + " bytes is cut short after " +
                 std::to_string(rest.size()));
}

Status check_record(Record record) {
  const auto* header = view<wire_header>(record);
  if (header == nullptr) return damaged("a record is too short or not aligned to 8 bytes");
  if (header->size != record.size()) {
    return damaged("a record of " + std::to_string(record.size()) + " bytes claims " +
                   std::to_string(header->size));
  }
  if (record.size() < fixed_bytes(header->kind)) {
    return damaged("a record of kind " + std::to_string(header->kind) + " has " +
                   std::to_string(record.size()) + " bytes, it needs " +
                   std::to_string(fixed_bytes(header->kind)));
  }
  if (header->kind == WIRE_REQUEST) return check_request(record);
  if (header->kind == WIRE_FILE) return check_file(record);
  return {};
}

}  // namespace iohops
