#include "core/redact.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace iohops {
namespace {

RedactionKey key_of(unsigned char fill) {
  RedactionKey key;
  key.fill(fill);
  return key;
}

const Redactor redactor(key_of(1));

TEST(redact, a_name_is_sixteen_digits_and_always_the_same) {
  const std::string hash = redactor.name("payroll.db");
  EXPECT_EQ(hash.size(), 16u);
  EXPECT_EQ(hash.find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_EQ(hash, redactor.name("payroll.db"));
  EXPECT_NE(hash, redactor.name("payroll.dc"));
}

// The oracle is Python:
// hashlib.blake2b(b"payroll.db", digest_size=16, key=b"\1" * 32).hexdigest()[:16]
TEST(redact, it_is_keyed_blake2b) { EXPECT_EQ(redactor.name("payroll.db"), "8179d77b11a444c0"); }

TEST(redact, another_key_gives_another_hash) {
  EXPECT_NE(redactor.name("payroll.db"), Redactor(key_of(2)).name("payroll.db"));
}

TEST(redact, a_path_keeps_its_shape) {
  const std::string name = redactor.name("a"), other = redactor.name("b");
  EXPECT_EQ(redactor.path("/a/b/a"), "/" + name + "/" + other + "/" + name);
  EXPECT_EQ(redactor.path("a/b"), name + "/" + other);  // a path whose beginning is not known
  EXPECT_EQ(redactor.path("/a//b/"), "/" + name + "//" + other + "/");
  EXPECT_EQ(redactor.path("/"), "/");
  EXPECT_EQ(redactor.path(""), "");
}

TEST(redact, bytes_that_are_no_utf8_are_hashed_like_others) {
  EXPECT_EQ(redactor.path("/\xff\xfe").size(), 17u);
  EXPECT_NE(redactor.name("\xff"), redactor.name("\xfe"));
}

File file_of(FileKind kind, std::string filesystem, std::string path) {
  File file;
  file.kind = kind;
  file.filesystem = std::move(filesystem);
  file.path = std::move(path);
  file.inode = 77;
  return file;
}

TEST(redact, what_the_kernel_names_stays) {
  for (const File& file : {file_of(FileKind::kSocket, "sockfs", "socket:[77]"), file_of(FileKind::kPipe, "pipefs", "pipe:[77]"),
                           file_of(FileKind::kOther, "anon_inodefs", "anon_inode:[eventpoll]"),
                           file_of(FileKind::kRegular, "nfs", "nfs:[77]")})
    EXPECT_EQ(redactor.file(file).path, file.path);
}

TEST(redact, a_file_that_is_named_like_the_kernels_does_not) {
  for (const File& file : {file_of(FileKind::kRegular, "ext4", "pipe:[12]"), file_of(FileKind::kRegular, "ext4", "/pipe:[77]"),
                           file_of(FileKind::kRegular, "ext4", "anon_inode:[x]"), file_of(FileKind::kPipe, "ext4", "/tmp/fifo")})
    EXPECT_EQ(redactor.file(file).path, redactor.path(file.path));
}

// Keeps what it is handed.
struct Kept : Sink {
  Header header_seen;
  std::vector<std::string> comms;
  Status header(const Header& header) override {
    header_seen = header;
    return {};
  }
  Status process(const Process& process) override {
    comms.push_back(process.comm);
    return {};
  }
  Status request(const Request& request) override {
    comms.emplace_back(request.comm);
    return {};
  }
};

TEST(redact, a_process_has_one_name_in_all_records) {
  Kept kept;
  RedactSink sink(key_of(1), kept);
  Process process;
  process.comm = "secretd";
  Request request;
  request.comm = "secretd";
  ASSERT_TRUE(sink.process(process));
  ASSERT_TRUE(sink.request(request));
  ASSERT_TRUE(sink.request(request));
  EXPECT_EQ(kept.comms, std::vector<std::string>(3, redactor.name("secretd")));
}

TEST(redact, the_header_names_nobody) {
  Header header;
  header.command_line = {"iohops", "record", "--", "cp", "/srv/payroll.db"};
  header.host = "db1.example";
  header.kernel = "6.12.0";
  header.targets = {{4242, "cp"}};
  Device disk, card, loopback;
  disk.id = 254 << 20;
  disk.name = "vda";
  card.id = network_device(3);
  card.name = "wg-acme";
  loopback.id = network_device(1);
  loopback.name = "lo";
  header.devices = {disk, card, loopback};
  header.missing_hooks = {{"streams", "fread of /srv/acme/libc.so.6 cannot be probed", ""}, {"fexit", "refused", ""}};
  Kept kept;
  ASSERT_TRUE(RedactSink(key_of(1), kept).header(header));
  const Header& shown = kept.header_seen;
  EXPECT_TRUE(shown.redacted);
  EXPECT_EQ(shown.command_line.back(), redactor.path("/srv/payroll.db"));
  EXPECT_EQ(shown.command_line[3], shown.targets[0].comm);
  EXPECT_EQ(shown.host, redactor.name("db1.example"));
  EXPECT_EQ(shown.kernel, "6.12.0");
  EXPECT_EQ(shown.devices[0].name, "vda");
  EXPECT_EQ(shown.devices[1].name, redactor.name("wg-acme"));
  EXPECT_EQ(shown.devices[2].name, "lo");
  EXPECT_EQ(shown.missing_hooks[0].reason, "redacted");
  EXPECT_EQ(shown.missing_hooks[1].reason, "refused");
}

}  // namespace
}  // namespace iohops
