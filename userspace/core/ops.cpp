// The tables of operations and of losses.
#include "core/ops.hpp"

#include <algorithm>
#include <span>

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
    {WIRE_OP_FREAD, OpFamily::kStream, "fread"},
    {WIRE_OP_FWRITE, OpFamily::kStream, "fwrite"},
    {WIRE_OP_PAGE_FAULT, OpFamily::kFault, "page_fault"},
    {WIRE_OP_DEVICE, OpFamily::kOther, "device"},
};

// By IORING_OP_* (uapi/linux/io_uring.h).
constexpr Row uring(uint16_t op, OpFamily family, std::string_view name) {
  return {static_cast<uint16_t>(WIRE_OP_URING + op), family, name};
}
constexpr Row kRingRows[] = {
    uring(0, OpFamily::kOther, "io_uring.nop"),
    uring(1, OpFamily::kRead, "io_uring.readv"),
    uring(2, OpFamily::kWrite, "io_uring.writev"),
    uring(3, OpFamily::kSync, "io_uring.fsync"),
    uring(4, OpFamily::kRead, "io_uring.read_fixed"),
    uring(5, OpFamily::kWrite, "io_uring.write_fixed"),
    uring(6, OpFamily::kPoll, "io_uring.poll_add"),
    uring(7, OpFamily::kOther, "io_uring.poll_remove"),
    uring(8, OpFamily::kSync, "io_uring.sync_file_range"),
    uring(9, OpFamily::kWrite, "io_uring.sendmsg"),
    uring(10, OpFamily::kRead, "io_uring.recvmsg"),
    uring(11, OpFamily::kOther, "io_uring.timeout"),
    uring(12, OpFamily::kOther, "io_uring.timeout_remove"),
    uring(13, OpFamily::kOther, "io_uring.accept"),
    uring(14, OpFamily::kOther, "io_uring.async_cancel"),
    uring(15, OpFamily::kOther, "io_uring.link_timeout"),
    uring(16, OpFamily::kOther, "io_uring.connect"),
    uring(17, OpFamily::kOther, "io_uring.fallocate"),
    uring(18, OpFamily::kOther, "io_uring.openat"),
    uring(19, OpFamily::kOther, "io_uring.close"),
    uring(20, OpFamily::kOther, "io_uring.files_update"),
    uring(21, OpFamily::kOther, "io_uring.statx"),
    uring(22, OpFamily::kRead, "io_uring.read"),
    uring(23, OpFamily::kWrite, "io_uring.write"),
    uring(24, OpFamily::kOther, "io_uring.fadvise"),
    uring(25, OpFamily::kOther, "io_uring.madvise"),
    uring(26, OpFamily::kWrite, "io_uring.send"),
    uring(27, OpFamily::kRead, "io_uring.recv"),
    uring(28, OpFamily::kOther, "io_uring.openat2"),
    uring(29, OpFamily::kOther, "io_uring.epoll_ctl"),
    uring(30, OpFamily::kMove, "io_uring.splice"),
    uring(31, OpFamily::kOther, "io_uring.provide_buffers"),
    uring(32, OpFamily::kOther, "io_uring.remove_buffers"),
    uring(33, OpFamily::kMove, "io_uring.tee"),
    uring(34, OpFamily::kOther, "io_uring.shutdown"),
    uring(35, OpFamily::kOther, "io_uring.renameat"),
    uring(36, OpFamily::kOther, "io_uring.unlinkat"),
    uring(37, OpFamily::kOther, "io_uring.mkdirat"),
    uring(38, OpFamily::kOther, "io_uring.symlinkat"),
    uring(39, OpFamily::kOther, "io_uring.linkat"),
    uring(40, OpFamily::kOther, "io_uring.msg_ring"),
    uring(41, OpFamily::kOther, "io_uring.fsetxattr"),
    uring(42, OpFamily::kOther, "io_uring.setxattr"),
    uring(43, OpFamily::kOther, "io_uring.fgetxattr"),
    uring(44, OpFamily::kOther, "io_uring.getxattr"),
    uring(45, OpFamily::kOther, "io_uring.socket"),
    uring(46, OpFamily::kOther, "io_uring.uring_cmd"),
    uring(47, OpFamily::kWrite, "io_uring.send_zc"),
    uring(48, OpFamily::kWrite, "io_uring.sendmsg_zc"),
    uring(49, OpFamily::kRead, "io_uring.read_multishot"),
    uring(50, OpFamily::kOther, "io_uring.waitid"),
    uring(51, OpFamily::kOther, "io_uring.futex_wait"),
    uring(52, OpFamily::kOther, "io_uring.futex_wake"),
    uring(53, OpFamily::kOther, "io_uring.futex_waitv"),
    uring(54, OpFamily::kOther, "io_uring.fixed_fd_install"),
    uring(55, OpFamily::kOther, "io_uring.ftruncate"),
    uring(56, OpFamily::kOther, "io_uring.bind"),
    uring(57, OpFamily::kOther, "io_uring.listen"),
    uring(58, OpFamily::kRead, "io_uring.recv_zc"),
    uring(59, OpFamily::kPoll, "io_uring.epoll_wait"),
    uring(60, OpFamily::kRead, "io_uring.readv_fixed"),
    uring(61, OpFamily::kWrite, "io_uring.writev_fixed"),
    uring(62, OpFamily::kOther, "io_uring.pipe"),
};
// By IOCB_CMD_* (uapi/linux/aio_abi.h).
constexpr Row aio(uint16_t op, OpFamily family, std::string_view name) {
  return {static_cast<uint16_t>(WIRE_OP_AIO + op), family, name};
}
constexpr Row kAioRows[] = {
    aio(0, OpFamily::kRead, "aio.pread"),   aio(1, OpFamily::kWrite, "aio.pwrite"),
    aio(2, OpFamily::kSync, "aio.fsync"),   aio(3, OpFamily::kSync, "aio.fdsync"),
    aio(5, OpFamily::kPoll, "aio.poll"),    aio(7, OpFamily::kRead, "aio.preadv"),
    aio(8, OpFamily::kWrite, "aio.pwritev"),
};

const Row* find_row(std::span<const Row> rows, uint16_t op) {
  for (const Row& row : rows) {
    if (row.op == op) return &row;
  }
  return nullptr;
}

const Row* row_of(uint16_t op) {
  // The first rows stand in the order of their values: the common operations are found at once.
  if (op >= WIRE_OP_READ && op <= WIRE_OP_PWRITEV2) return &kRows[op - WIRE_OP_READ];
  if (op >= WIRE_OP_AIO) return find_row(kAioRows, op);
  if (op < WIRE_OP_URING) return find_row(kRows, op);
  const size_t code = op - WIRE_OP_URING;
  return code < std::size(kRingRows) ? &kRingRows[code] : nullptr;
}
static_assert(kRows[WIRE_OP_PWRITEV2 - WIRE_OP_READ].op == WIRE_OP_PWRITEV2);

}  // namespace

namespace {

std::array<OpFamily, kOps> make_families() {
  std::array<OpFamily, kOps> families{};
  for (uint16_t op = 0; op < kOps; ++op) {
    if (const Row* row = row_of(op)) families[op] = row->family;
  }
  return families;
}

}  // namespace

const std::array<OpFamily, kOps> kFamilies = make_families();

std::string_view op_name(uint16_t op) {
  const Row* row = row_of(op);
  return row != nullptr ? row->name : "unknown";
}

std::vector<std::string_view> op_names() {
  std::vector<std::string_view> names;
  for (const std::span<const Row> rows : {std::span<const Row>(kRows), std::span<const Row>(kRingRows),
                                          std::span<const Row>(kAioRows)}) {
    for (const Row& row : rows) {
      if (row.op != WIRE_OP_DEVICE) names.push_back(row.name);
    }
  }
  return names;
}

bool is_message(uint16_t op) {
  if (op < WIRE_OP_URING) return op >= WIRE_OP_SENDTO && op <= WIRE_OP_RECVMMSG;
  constexpr uint16_t kMessages[] = {9, 10, 26, 27, 47, 48};  // send, recv, sendmsg, ..., send_zc
  return std::find(std::begin(kMessages), std::end(kMessages), op - WIRE_OP_URING) !=
         std::end(kMessages);
}

bool names_file(uint16_t ringed) {
  if (family(ringed) != OpFamily::kOther || ringed >= WIRE_OP_AIO) return true;
  constexpr uint16_t kWithFile[] = {13, 16, 17, 24, 34, 41, 43, 46, 54, 55, 56, 57};  // accept, ..., listen
  return std::find(std::begin(kWithFile), std::end(kWithFile), ringed - WIRE_OP_URING) != std::end(kWithFile);
}

std::string_view loss_name(uint32_t cause) {
  constexpr std::string_view kNames[WIRE_LOSS_CAUSES] = {
      "unknown",   "ring_request", "ring_detail", "ring_transfer", "ring_name", "threads_full",
      "bios_full", "files_full",   "tally_full",  "recursion",     "compat",    "evicted",
      "completion_missed", "rings_full", "evicted_ranges"};
  return cause < WIRE_LOSS_CAUSES ? kNames[cause] : kNames[0];
}

}  // namespace iohops
