#include "budget.hpp"

#include <sys/utsname.h>

#include <cctype>
#include <fstream>
#include <sstream>
#include <string_view>
#include <vector>

namespace iohops {
namespace {

// The distribution if `uname -v` names it, else the first word behind the version: 6.18.44-fc-v657.
std::string vendor(std::string_view release, std::string_view version) {
  if (version.find("Debian") != version.npos) return "debian";
  if (version.find("Ubuntu") != version.npos) return "ubuntu";
  size_t begin = 0;
  while (begin < release.size() && std::isalpha(static_cast<unsigned char>(release[begin])) == 0)
    ++begin;
  size_t end = begin;
  while (end < release.size() && std::isalpha(static_cast<unsigned char>(release[end])) != 0) ++end;
  return begin == end ? "vanilla" : std::string(release.substr(begin, end - begin));
}

std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells;
  std::istringstream stream(line);
  for (std::string cell; std::getline(stream, cell, '\t');) cells.push_back(cell);
  return cells;
}

}  // namespace

std::string kernel_name() {
  utsname names = {};
  uname(&names);
  const std::string release = names.release;
  const std::string series = release.substr(0, release.find('.', release.find('.') + 1));
  const std::string name = series + "-" + vendor(release, names.version);
  return names.machine == std::string_view("x86_64") ? name : name + "-" + names.machine;
}

Budget Budget::read(const std::string& path) {
  Budget budget;
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  const std::vector<std::string> header = cells_of(line);
  while (std::getline(file, line)) {
    const std::vector<std::string> cells = cells_of(line);
    for (size_t i = 1; i < cells.size() && i < header.size(); ++i)
      if (!cells[i].empty() && cells[i] != "-")
        budget.rows_[cells[0]][header[i]] = static_cast<unsigned>(std::stoul(cells[i]));
  }
  return budget;
}

std::string Budget::objection(const std::string& program, const std::string& column,
                              unsigned instructions) const {
  if (instructions > kMostInstructions)
    return "no program may need more than " + std::to_string(kMostInstructions);
  const auto row = rows_.find(program);
  if (row == rows_.end()) return {};
  const auto cell = row->second.find(column);
  if (cell == row->second.end()) return {};
  const unsigned allowed = cell->second;
  if (instructions <= allowed * kGrowth || instructions <= allowed + kSlack) return {};
  return "it was " + std::to_string(allowed) + " on " + column +
         " when tests/object/budget.tsv was written: more than a fifth more. What made it grow "
         "will "
         "grow on other kernels too; if it is worth that: make budget";
}

}  // namespace iohops
