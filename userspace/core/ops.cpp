// The tables of operations and of losses.
#include "core/ops.hpp"

namespace iohops {
namespace {

struct Row {
  uint16_t op;
  OpFamily family;
  std::string_view name;
};

constexpr Row kRows[] = {
    {WIRE_OP_READ, OpFamily::kRead, "read"},
    {WIRE_OP_WRITE, OpFamily::kWrite, "write"},
    {WIRE_OP_PREAD64, OpFamily::kRead, "pread64"},
    {WIRE_OP_PWRITE64, OpFamily::kWrite, "pwrite64"},
    {WIRE_OP_READV, OpFamily::kRead, "readv"},
    {WIRE_OP_WRITEV, OpFamily::kWrite, "writev"},
    {WIRE_OP_PREADV, OpFamily::kRead, "preadv"},
    {WIRE_OP_PWRITEV, OpFamily::kWrite, "pwritev"},
    {WIRE_OP_PREADV2, OpFamily::kRead, "preadv2"},
    {WIRE_OP_PWRITEV2, OpFamily::kWrite, "pwritev2"},
    {WIRE_OP_FSYNC, OpFamily::kSync, "fsync"},
    {WIRE_OP_FDATASYNC, OpFamily::kSync, "fdatasync"},
    {WIRE_OP_SYNC_FILE_RANGE, OpFamily::kSync, "sync_file_range"},
    {WIRE_OP_MSYNC, OpFamily::kSync, "msync"},
    {WIRE_OP_SYNC, OpFamily::kSync, "sync"},
    {WIRE_OP_SYNCFS, OpFamily::kSync, "syncfs"},
    {WIRE_OP_SENDTO, OpFamily::kWrite, "sendto"},
    {WIRE_OP_RECVFROM, OpFamily::kRead, "recvfrom"},
    {WIRE_OP_SENDMSG, OpFamily::kWrite, "sendmsg"},
    {WIRE_OP_RECVMSG, OpFamily::kRead, "recvmsg"},
    {WIRE_OP_SENDMMSG, OpFamily::kWrite, "sendmmsg"},
    {WIRE_OP_RECVMMSG, OpFamily::kRead, "recvmmsg"},
    {WIRE_OP_SENDFILE, OpFamily::kMove, "sendfile"},
    {WIRE_OP_SPLICE, OpFamily::kMove, "splice"},
    {WIRE_OP_TEE, OpFamily::kMove, "tee"},
    {WIRE_OP_VMSPLICE, OpFamily::kMove, "vmsplice"},
    {WIRE_OP_COPY_FILE_RANGE, OpFamily::kMove, "copy_file_range"},
    {WIRE_OP_POLL, OpFamily::kPoll, "poll"},
    {WIRE_OP_PPOLL, OpFamily::kPoll, "ppoll"},
    {WIRE_OP_SELECT, OpFamily::kPoll, "select"},
    {WIRE_OP_PSELECT6, OpFamily::kPoll, "pselect6"},
    {WIRE_OP_EPOLL_WAIT, OpFamily::kPoll, "epoll_wait"},
    {WIRE_OP_EPOLL_PWAIT, OpFamily::kPoll, "epoll_pwait"},
    {WIRE_OP_EPOLL_PWAIT2, OpFamily::kPoll, "epoll_pwait2"},
    {WIRE_OP_IO_URING_ENTER, OpFamily::kRing, "io_uring_enter"},
    {WIRE_OP_IO_SUBMIT, OpFamily::kRing, "io_submit"},
    {WIRE_OP_IO_GETEVENTS, OpFamily::kRing, "io_getevents"},
    {WIRE_OP_IO_PGETEVENTS, OpFamily::kRing, "io_pgetevents"},
    {WIRE_OP_PAGE_FAULT, OpFamily::kFault, "page_fault"},
    {WIRE_OP_DEVICE, OpFamily::kOther, "device"},
};

const Row* row_of(uint16_t op) {
  // The first rows stand in the order of their values: the common operations are found at once.
  if (op >= WIRE_OP_READ && op <= WIRE_OP_PWRITEV2) return &kRows[op - WIRE_OP_READ];
  for (const Row& row : kRows) {
    if (row.op == op) return &row;
  }
  return nullptr;
}
static_assert(kRows[WIRE_OP_PWRITEV2 - WIRE_OP_READ].op == WIRE_OP_PWRITEV2);

}  // namespace

OpFamily family(uint16_t op) {
  const Row* row = row_of(op);
  return row != nullptr ? row->family : OpFamily::kOther;
}

std::string_view op_name(uint16_t op) {
  const Row* row = row_of(op);
  return row != nullptr ? row->name : "unknown";
}

std::optional<uint16_t> parse_op(std::string_view name) {
  for (const Row& row : kRows) {
    if (row.name == name) return row.op;
  }
  return std::nullopt;
}

std::string_view loss_name(uint32_t cause) {
  constexpr std::string_view kNames[WIRE_LOSS_CAUSES] = {
      "unknown",   "ring_request", "ring_detail", "ring_transfer", "ring_name", "threads_full",
      "bios_full", "files_full",   "tally_full",  "recursion",     "compat",    "evicted",
      "completion_missed"};
  return cause < WIRE_LOSS_CAUSES ? kNames[cause] : kNames[0];
}

}  // namespace iohops
