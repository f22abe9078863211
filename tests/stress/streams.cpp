// Raw recordings that no real program would give, for replay: written to stdout, as long as is
// wanted.
//
//   streams open COUNT    requests that begin, wait, add pages, and never end
//   streams files COUNT   files, each named and written once; no device ever writes them
//   streams ranges COUNT  written to a tenth as many files, in turn, none beside another
//   streams day HOURS     of a machine that forks: 50 processes a second, each reads ahead and
//   writes
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>

#include "core/raw.hpp"
#include "sinks/json_header.hpp"
#include "tests/unit/json_trace.hpp"

namespace iohops {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;
constexpr uint64_t kPage = 4096;
constexpr uint32_t kDisk = 254u << 20;

class Stdout : public ByteWriter {
 public:
  Status write(std::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t n = ::write(STDOUT_FILENO, bytes.data(), bytes.size());
      if (n < 0) return Error{ErrorKind::kOutput, std::strerror(errno)};
      bytes.remove_prefix(static_cast<size_t>(n));
    }
    return {};
  }
  Status close() override { return {}; }
};

class Stream {
 public:
  Stream() : writer_(out_) { must(writer_.begin(header_json(test::sample_header()), now)); }

  template <typename T>
  void put(T record, uint16_t kind) {
    const wire_header header{now, kind, sizeof record, 0};
    std::memcpy(&record, &header, sizeof header);
    must(writer_.record(bytes_of(record)));
  }

  // Named by its number, in a folder.
  void file(uint32_t alias, uint64_t ino) {
    constexpr size_t kPath = 64;
    std::array<uint64_t, (sizeof(wire_file) + kPath) / 8> words{};
    wire_file file{};
    file.header = {now, WIRE_FILE, sizeof words, 0};
    file.file = alias;
    file.dev = kDisk + 1;
    file.ino = ino;
    file.generation = 1;
    file.magic = 0xef53;
    file.mode = 0100644;
    std::strcpy(file.fs, "ext4");
    char path[kPath] = {};
    const int bytes = std::snprintf(path, sizeof path, "file-%lu%cfolder%csrv", ino, 0, 0);
    file.path_bytes = static_cast<uint32_t>(bytes) + 1;
    std::memcpy(words.data(), &file, sizeof file);
    std::memcpy(reinterpret_cast<char*>(words.data()) + sizeof file, path, sizeof path);
    must(writer_.record(std::as_bytes(std::span(words))));
  }

  void process(uint32_t pid, uint32_t event) {
    wire_process process{};
    process.tgid = process.ns_tgid = pid;
    process.event = event;
    process.start_boot_ns = now;
    std::strcpy(process.comm, "worker");
    put(process, WIRE_PROCESS);
  }

  void write_page(uint32_t pid, uint32_t alias, uint64_t offset = 0) {
    wire_request write{};
    fill(write, pid, alias, WIRE_OP_WRITE);
    write.offset = offset;
    put(write, WIRE_REQUEST);
  }

  // A page is asked for, seven more are loaded.
  void read_ahead(uint32_t pid, uint32_t alias, uint64_t ino) {
    wire_request_detail read{};
    fill(read.request, pid, alias, WIRE_OP_READ);
    read.request.flags = WIRE_REQUEST_DETAIL;
    read.added_bytes = 8 * kPage;
    read.page_runs = 1;
    read.run = {ino, kDisk + 1, 1, 0, 8, now};
    put(read, WIRE_REQUEST);
  }

  void end() {
    wire_end end{};
    end.bpf_ns = WIRE_UNKNOWN;
    put(end, WIRE_END);
    must(writer_.flush());
  }

  uint64_t now = kSecond;

 private:
  void fill(wire_request& request, uint32_t pid, uint32_t alias, uint16_t op) {
    request.start_ns = now - 500;
    request.tgid = request.tid = pid;
    request.op = op;
    request.file = alias;
    request.requested = kPage;
    request.result = kPage;
    request.fd = 3;
    request.segments = 1;
  }
  static void must(const Status& status) {
    if (status) return;
    std::fprintf(stderr, "streams: %s\n", status.error().message.c_str());
    std::exit(1);
  }

  Stdout out_;
  RawWriter writer_;
};

void tell_open(Stream& stream, uint64_t count) {
  for (uint64_t i = 0; i < count; i++) {
    stream.now += 1000;
    const auto tid = static_cast<uint32_t>(1000 + i % 4096);
    const wire_owner owner{1000, tid, stream.now - 500};
    wire_pages pages{};
    pages.owner = owner;
    pages.run = {1 + i % 100, kDisk + 1, 1, i, 1, stream.now};
    stream.put(pages, WIRE_PAGES);
    wire_wait wait{};
    wait.owner = owner;
    wait.begin_ns = stream.now - 200;
    wait.reason = WIRE_WAIT_DEVICE;
    stream.put(wait, WIRE_WAIT);
  }
}

void tell_files(Stream& stream, uint64_t count) {
  for (uint64_t i = 1; i <= count; i++) {
    stream.now += 1000;
    stream.file(static_cast<uint32_t>(i), 1000 + i);
    stream.write_page(1000, static_cast<uint32_t>(i));
  }
}

void tell_ranges(Stream& stream, uint64_t count) {
  const uint64_t files = count / 10;
  for (uint64_t i = 1; i <= files; i++) stream.file(static_cast<uint32_t>(i), 1000 + i);
  for (uint64_t i = 0; i < count; i++) {
    stream.now += 1000;
    const auto alias = static_cast<uint32_t>(i % files + 1);
    // A name that has been forgotten is told again at its next use, as the kernel side does.
    if (i % 8 == 0) stream.file(alias, 1000 + alias);
    stream.write_page(1000, alias, i / files * 2 * kPage);
  }
}

void tell_day(Stream& stream, uint64_t hours) {
  constexpr uint64_t kPids = 4'000'000;
  for (uint64_t i = 1; i <= hours * 3600 * 50; i++) {
    stream.now += kSecond / 50;
    const auto pid = static_cast<uint32_t>(100 + i * 7 % kPids);
    const auto alias = static_cast<uint32_t>(i);
    stream.process(pid, WIRE_PROCESS_FORK);
    stream.file(alias, 1000 + i);
    stream.read_ahead(pid, alias, 1000 + i);
    stream.now += 1000;
    stream.write_page(pid, alias);
    wire_process_exit exit{};
    exit.tgid = pid;
    stream.put(exit, WIRE_PROCESS_EXIT);
  }
}

}  // namespace
}  // namespace iohops

int main(int argc, char** argv) {
  const std::string kind = argc == 3 ? argv[1] : "";
  const uint64_t count = argc == 3 ? std::strtoull(argv[2], nullptr, 10) : 0;
  iohops::Stream stream;
  if (kind == "open")
    iohops::tell_open(stream, count);
  else if (kind == "files")
    iohops::tell_files(stream, count);
  else if (kind == "ranges")
    iohops::tell_ranges(stream, count);
  else if (kind == "day")
    iohops::tell_day(stream, count);
  else
    return 2;
  stream.end();
}
