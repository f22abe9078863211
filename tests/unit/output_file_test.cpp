// Where traces go and come from, on the real file system: private, never through a link, never over
// somebody's file, compressed or not, and readable after a kill.
#include "system/output_file.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "system/input_file.hpp"
#include "system/unique_fd.hpp"

namespace iohops {
namespace {

namespace fs = std::filesystem;

class OutputFile : public testing::Test {
 protected:
  void SetUp() override {
    std::string folder = (fs::temp_directory_path() / "iohops-output.XXXXXX").string();
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    folder_ = folder;
    ::signal(SIGPIPE, SIG_IGN);
    ::unsetenv("SUDO_UID");
    ::unsetenv("SUDO_GID");
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  fs::path folder_;
};

struct stat status_of(const std::string& path) {
  struct stat status {};
  EXPECT_EQ(::lstat(path.c_str(), &status), 0) << path;
  return status;
}

std::string content(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void write_file(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

void write_and_close(const std::string& path, std::string_view text) {
  auto out = open_output(path);
  ASSERT_TRUE(out) << out.error().message;
  ASSERT_TRUE((*out)->write(text));
  ASSERT_TRUE((*out)->close());
}

struct Reading {
  std::string text;
  bool truncated = false;
  std::optional<Error> error;
};

Reading read_all(const std::string& path) {
  Reading reading;
  auto in = open_input(path);
  if (!in) {
    reading.error = in.error();
    return reading;
  }
  char bytes[1000];
  while (true) {
    Result<size_t> got = (*in)->read(bytes);
    if (!got) {
      reading.error = got.error();
      return reading;
    }
    if (*got == 0) break;
    reading.text.append(bytes, *got);
  }
  reading.truncated = (*in)->truncated();
  return reading;
}

void expect_refused(const std::string& path, const std::string& reason) {
  const auto out = open_output(path);
  ASSERT_FALSE(out) << path;
  EXPECT_EQ(out.error().kind, ErrorKind::kOutput);
  EXPECT_NE(out.error().message.find(reason), std::string::npos) << out.error().message;
  EXPECT_NE(out.error().message.find(path), std::string::npos) << out.error().message;
}

std::string text_of(size_t bytes) {
  std::string text;
  for (uint64_t i = 0; text.size() < bytes; ++i) text += std::to_string(i * 2654435761U) + "\n";
  return text;
}

TEST_F(OutputFile, is_private_whatever_the_umask) {
  const mode_t before = ::umask(0);
  write_and_close(path("a.jsonl"), "text");
  ::umask(before);
  EXPECT_EQ(status_of(path("a.jsonl")).st_mode & 07777, 0600U);
  EXPECT_EQ(content(path("a.jsonl")), "text");
}

TEST_F(OutputFile, keeps_what_stood_there_as_old) {
  write_file(path("a.jsonl"), "first");
  write_and_close(path("a.jsonl"), "second");
  write_and_close(path("a.jsonl"), "third");
  EXPECT_EQ(content(path("a.jsonl")), "third");
  EXPECT_EQ(content(path("a.jsonl.old")), "second");
}

TEST_F(OutputFile, never_goes_through_a_symlink) {
  write_file(path("victim"), "precious");
  fs::create_symlink(path("victim"), path("a.jsonl"));
  fs::create_symlink(path("nowhere"), path("dangling.jsonl"));
  expect_refused(path("a.jsonl"), "symbolic link");
  expect_refused(path("dangling.jsonl"), "symbolic link");
  EXPECT_EQ(content(path("victim")), "precious");
  EXPECT_FALSE(fs::exists(path("nowhere")));
}

TEST_F(OutputFile, refuses_what_is_no_file) {
  fs::create_directory(path("d.jsonl"));
  expect_refused(path("d.jsonl"), "directory");
  expect_refused(path("no/such/a.jsonl"), "No such file");
  write_file(path("file"), "");
  expect_refused(path("file/a.jsonl"), "Not a directory");
  expect_refused("", "");
}

TEST_F(OutputFile, leaves_a_strangers_file_alone) {
  if (::geteuid() != 0) GTEST_SKIP() << "this needs root, which is not installed here";
  write_file(path("a.jsonl"), "theirs");
  ASSERT_EQ(::chown(path("a.jsonl").c_str(), 4711, 4711), 0);
  expect_refused(path("a.jsonl"), "belongs to user 4711");
  EXPECT_EQ(content(path("a.jsonl")), "theirs");
}

TEST_F(OutputFile, does_not_write_into_a_strangers_fifo) {
  if (::geteuid() != 0) GTEST_SKIP() << "this needs root, which is not installed here";
  ASSERT_EQ(::mkfifo(path("a.jsonl").c_str(), 0666), 0);
  ASSERT_EQ(::chown(path("a.jsonl").c_str(), 4711, 4711), 0);
  expect_refused(path("a.jsonl"), "a FIFO of user 4711");  // at once: nobody reads it
}

TEST_F(OutputFile, belongs_to_the_user_behind_sudo) {
  if (::geteuid() != 0) GTEST_SKIP() << "this needs root, which is not installed here";
  ::setenv("SUDO_UID", "4711", 1);
  ::setenv("SUDO_GID", "4712", 1);
  write_and_close(path("a.jsonl"), "first");
  EXPECT_EQ(status_of(path("a.jsonl")).st_uid, 4711U);
  EXPECT_EQ(status_of(path("a.jsonl")).st_gid, 4712U);
  write_and_close(path("a.jsonl"), "second");  // their own file from last time
  EXPECT_EQ(content(path("a.jsonl.old")), "first");
  ::setenv("SUDO_UID", "47x11", 1);
  write_and_close(path("b.jsonl"), "");
  EXPECT_EQ(status_of(path("b.jsonl")).st_uid, 0U);
}

TEST_F(OutputFile, a_fifo_is_written_to_as_it_is) {
  ASSERT_EQ(::mkfifo(path("a.jsonl").c_str(), 0644), 0);
  std::string got;
  std::thread reader([&] { got = content(path("a.jsonl")); });
  write_and_close(path("a.jsonl"), "through the pipe");
  reader.join();
  EXPECT_EQ(got, "through the pipe");
  EXPECT_TRUE(S_ISFIFO(status_of(path("a.jsonl")).st_mode));
}

TEST_F(OutputFile, a_full_device_is_an_error_with_the_bytes_so_far) {
  auto out = open_output("/dev/full");
  ASSERT_TRUE(out);
  const Status status = (*out)->write("text");
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().kind, ErrorKind::kOutput);
  EXPECT_EQ(status.error().message.find("/dev/full: No space left on device after 0 bytes"), 0U)
      << status.error().message;
}

TEST_F(OutputFile, a_file_that_grows_too_large_says_how_far_it_came) {
  const pid_t child = ::fork();
  if (child == 0) {
    const rlimit limit{1'500'000, 1'500'000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    ::signal(SIGXFSZ, SIG_IGN);
    auto out = open_output(path("a.jsonl"));
    if (!out) ::_exit(2);
    const Status status = (*out)->write(std::string(2'000'000, 'x'));
    ::_exit(!status && status.error().message.find("after 1,500,000 bytes") != std::string::npos
                ? 0
                : 1);
  }
  int ended = -1;
  ASSERT_EQ(::waitpid(child, &ended, 0), child);
  EXPECT_EQ(ended, 0);
  EXPECT_EQ(fs::file_size(path("a.jsonl")), 1'500'000U);
}

TEST_F(OutputFile, a_closed_pipe_on_stdout_is_an_error_without_words) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  UniqueFd stdout_before(::dup(STDOUT_FILENO));
  ::fflush(stdout);
  ::dup2(ends[1], STDOUT_FILENO);
  ::close(ends[0]);
  ::close(ends[1]);
  auto out = open_output("-");
  const Status status = out ? (*out)->write("text") : Status(out.error());
  ::dup2(stdout_before.get(), STDOUT_FILENO);
  ASSERT_TRUE(out);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().kind, ErrorKind::kOutput);
  EXPECT_EQ(status.error().message, "");
}

TEST_F(OutputFile, waits_for_a_slow_reader_of_a_non_blocking_pipe) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_NONBLOCK), 0);
  UniqueFd stdout_before(::dup(STDOUT_FILENO));
  ::fflush(stdout);
  ::dup2(ends[1], STDOUT_FILENO);
  ::close(ends[1]);
  auto out = open_output("-");
  ::dup2(stdout_before.get(), STDOUT_FILENO);
  ASSERT_TRUE(out);
  const std::string text = text_of(1 << 20);  // far more than the pipe holds
  std::string got;
  std::thread reader([&] {
    ::fcntl(ends[0], F_SETFL, 0);
    char bytes[4096];
    for (ssize_t n; (n = ::read(ends[0], bytes, sizeof bytes)) > 0;) {
      got.append(bytes, static_cast<size_t>(n));
    }
  });
  EXPECT_TRUE((*out)->write(text));
  EXPECT_TRUE((*out)->close());
  reader.join();
  ::close(ends[0]);
  EXPECT_EQ(got, text);
}

TEST_F(OutputFile, compressed_comes_back_as_it_was) {
  const std::string text = text_of(3 << 20);
  auto out = open_output(path("a.jsonl.zst"));
  ASSERT_TRUE(out);
  for (size_t at = 0; at < text.size(); at += 100'000) {
    ASSERT_TRUE((*out)->write(std::string_view(text).substr(at, 100'000)));
  }
  ASSERT_TRUE((*out)->close());
  EXPECT_LT(fs::file_size(path("a.jsonl.zst")), text.size() / 2);
  const Reading reading = read_all(path("a.jsonl.zst"));
  EXPECT_FALSE(reading.error);
  EXPECT_FALSE(reading.truncated);
  EXPECT_EQ(reading.text, text);
}

TEST_F(OutputFile, what_was_flushed_can_be_decompressed_after_a_kill) {
  const std::string text = text_of(1 << 20);
  auto out = open_output(path("a.jsonl.zst"));
  ASSERT_TRUE(out);
  ASSERT_TRUE((*out)->write(text));
  ASSERT_TRUE((*out)->flush());
  // The file as a kill at this moment would leave it.
  const Reading reading = read_all(path("a.jsonl.zst"));
  EXPECT_FALSE(reading.error);
  EXPECT_TRUE(reading.truncated);
  EXPECT_EQ(reading.text, text);
}

TEST_F(OutputFile, compressed_to_a_reader_that_goes_is_an_error) {
  const std::string text = text_of(8 << 20);
  ASSERT_EQ(::mkfifo(path("a.zst").c_str(), 0600), 0);
  std::thread reader([&] {  // takes a little, then goes
    UniqueFd fd(::open(path("a.zst").c_str(), O_RDONLY));
    char bytes[100];
    EXPECT_GT(::read(fd.get(), bytes, sizeof bytes), 0);
  });
  auto out = open_output(path("a.zst"));
  ASSERT_TRUE(out);
  Status status = (*out)->write(text);
  if (status) status = (*out)->close();
  reader.join();
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().kind, ErrorKind::kOutput);
  EXPECT_NE(status.error().message.find("its reader has gone"), std::string::npos);
}

TEST_F(OutputFile, reads_plain_text_of_any_length) {
  for (const std::string& text :
       {std::string(), std::string("a"), std::string("abc"), text_of(100'000)}) {
    write_file(path("plain"), text);
    EXPECT_EQ(read_all(path("plain")).text, text);
  }
}

TEST_F(OutputFile, compressed_data_cut_at_any_byte_ends_quietly) {
  write_and_close(path("a.zst"), text_of(2000));
  const std::string whole = content(path("a.zst"));
  for (size_t cut = 4; cut < whole.size(); ++cut) {
    write_file(path("cut"), whole.substr(0, cut));
    const Reading reading = read_all(path("cut"));
    ASSERT_FALSE(reading.error) << cut;
    EXPECT_TRUE(reading.truncated) << cut;
  }
}

TEST_F(OutputFile, two_frames_in_a_row_are_one_input) {
  write_and_close(path("a.zst"), "one");
  write_and_close(path("b.zst"), "two");
  write_file(path("both"), content(path("a.zst")) + content(path("b.zst")));
  EXPECT_EQ(read_all(path("both")).text, "onetwo");
}

TEST_F(OutputFile, compressed_data_broken_in_the_middle_is_damaged) {
  write_and_close(path("a.zst"), text_of(200'000));
  std::string bytes = content(path("a.zst"));
  for (size_t i = bytes.size() / 2; i < bytes.size() / 2 + 100; ++i) {
    bytes[i] = static_cast<char>(~bytes[i]);
  }
  write_file(path("a.zst"), bytes);
  const Reading reading = read_all(path("a.zst"));
  ASSERT_TRUE(reading.error);
  EXPECT_EQ(reading.error->kind, ErrorKind::kDamaged);
  EXPECT_NE(reading.error->message.find(path("a.zst")), std::string::npos);
}

TEST_F(OutputFile, an_input_that_is_not_there_is_named) {
  const Reading missing = read_all(path("no.jsonl"));
  ASSERT_TRUE(missing.error);
  EXPECT_EQ(missing.error->kind, ErrorKind::kRuntime);
  EXPECT_NE(missing.error->message.find(path("no.jsonl") + ": No such file"), std::string::npos);
  const Reading folder = read_all(folder_.string());
  ASSERT_TRUE(folder.error);
  EXPECT_NE(folder.error->message.find("directory"), std::string::npos);
}

}  // namespace
}  // namespace iohops
