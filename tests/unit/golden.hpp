// Compares text with a file under tests/golden. BLESS=1 writes the file instead; the diff is then
// read by a person. Run from the root of the repository.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

namespace iohops {

inline void expect_golden(const std::string& name, const std::string& actual) {
  const std::string path = "tests/golden/" + name;
  if (getenv("BLESS") != nullptr) {
    std::ofstream out(path, std::ios::binary);
    out << actual;
    ASSERT_TRUE(out.good()) << "cannot write " << path;
    return;
  }
  std::ifstream in(path, std::ios::binary);
  ASSERT_TRUE(in.good()) << "no golden " << path << ": make bless";
  const std::string expected{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  EXPECT_EQ(actual, expected) << "differs from " << path << "; if that is right: make bless";
}

}  // namespace iohops
