// The rows of top's view and their order. Steering by keys is in model_keys.cpp.
#include "core/top/model.hpp"

#include <algorithm>
#include <array>
#include <unordered_map>
#include <unordered_set>

#include "core/ops.hpp"

namespace iohops {
namespace {

constexpr std::array kProcessColumns{
    TopColumn::kPid,    TopColumn::kName,   TopColumn::kRequests, TopColumn::kBytes,
    TopColumn::kCopies, TopColumn::kDevice, TopColumn::kSwitches, TopColumn::kHit,
    TopColumn::kP50,    TopColumn::kP99,    TopColumn::kOffCpu,   TopColumn::kWriteback};
constexpr std::array kOtherColumns{
    TopColumn::kRequests, TopColumn::kBytes,     TopColumn::kCopies, TopColumn::kDevice,
    TopColumn::kSwitches, TopColumn::kHit,       TopColumn::kP50,    TopColumn::kP99,
    TopColumn::kOffCpu,   TopColumn::kWriteback, TopColumn::kName};  // long names stand last

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool contains(std::string_view text, std::string_view part) {
  const auto same = [](char a, char b) { return lower(a) == lower(b); };
  return std::search(text.begin(), text.end(), part.begin(), part.end(), same) != text.end();
}

}  // namespace

std::string_view title(TopView view) {
  switch (view) {
    case TopView::kProcesses:
      return "processes";
    case TopView::kFiles:
      return "files";
    case TopView::kOps:
      return "operations";
  }
  return {};
}

double TopTotals::per_second(uint64_t n) const {
  return elapsed_ns == 0 ? 0 : 1e9 * static_cast<double>(n) / static_cast<double>(elapsed_ns);
}

void TopModel::update(const TopSample& sample) {
  latest_ = tallies_.update(sample);
  latest_totals_ = {};
  latest_totals_.lost = sample.lost;
  latest_totals_.self_cpu_percent = sample.self_cpu_percent;
  latest_totals_.elapsed_ns = sample.elapsed_ns;
  latest_totals_.clock = sample.clock;
  std::unordered_set<uint32_t> pids;
  for (const TopDelta& delta : latest_) {
    latest_totals_.figures.add(delta.figures);
    if (delta.pid != 0) pids.insert(delta.pid);
  }
  latest_totals_.processes = pids.size();
  ++samples_;
  if (!frozen_) show_latest();
}

void TopModel::show_latest() {
  shown_ = latest_;
  totals_ = latest_totals_;
  rebuild_rows();
}

uint64_t TopModel::row_key(const TopDelta& delta) const {
  switch (view_) {
    case TopView::kProcesses:
      return delta.pid;
    case TopView::kFiles:
      return delta.file;
    case TopView::kOps:
      return delta.op;
  }
  return 0;
}

TopRow TopModel::blank_row(const TopDelta& delta) const {
  TopRow row;
  row.key = row_key(delta);
  row.elapsed_ns = totals_.elapsed_ns;
  if (view_ == TopView::kProcesses) {
    const Process* process = tallies_.process(delta.pid);
    row.pid = delta.pid;
    row.name = delta.pid == 0       ? "(writeback by the kernel)"
               : process == nullptr ? "(name unknown)"
                                    : process->comm;
  } else if (view_ == TopView::kFiles) {
    const File* file = tallies_.file(delta.file);
    row.name = delta.file == 0   ? "(no file)"
               : file == nullptr ? "(file " + std::to_string(delta.file) + ", name unknown)"
                                 : file->path;
  } else if (delta.op == WIRE_OP_DEVICE) {
    row.name = "(devices, for all of them)";
  } else {
    row.name = op_name(delta.op);
    row.has_device = false;
  }
  return row;
}

bool TopModel::passes(const TopRow& row) const {
  if (row.figures.idle()) {
    if (active_only_) return false;
    // A process that ended stays for as long as the device works for it.
    const Process* process = row.pid == 0 ? nullptr : tallies_.process(row.pid);
    if (process != nullptr && process->exit_ns) return false;
  }
  return contains(row.name, filter_);
}

void TopModel::rebuild_rows() {
  rows_.clear();
  std::unordered_map<uint64_t, size_t> index;
  for (const TopDelta& delta : shown_) {
    if (scope_.pid && delta.pid != *scope_.pid) continue;
    if (scope_.file && delta.file != *scope_.file) continue;
    const auto [place, first] = index.try_emplace(row_key(delta), rows_.size());
    if (first) rows_.push_back(blank_row(delta));
    rows_[place->second].figures.add(delta.figures);
  }
  std::erase_if(rows_, [this](const TopRow& row) { return !passes(row); });
  order_rows();
}

// Unknown values stand last in either direction; equal ones keep the order of their keys, so that a
// quiet table does not dance.
void TopModel::order_rows() {
  std::vector<std::pair<std::optional<double>, size_t>> order;
  for (size_t i = 0; i < rows_.size(); ++i) order.emplace_back(rows_[i].value(sort_), i);
  const auto before = [this](const auto& a, const auto& b) {
    const TopRow& left = rows_[a.second];
    const TopRow& right = rows_[b.second];
    if (sort_ == TopColumn::kName && left.name != right.name)
      return (left.name < right.name) == ascending_;
    if (a.first.has_value() != b.first.has_value()) return a.first.has_value();
    if (a.first != b.first) return (*a.first < *b.first) == ascending_;
    return left.key < right.key;
  };
  std::sort(order.begin(), order.end(), before);
  std::vector<TopRow> sorted;
  sorted.reserve(rows_.size());
  for (const auto& entry : order) sorted.push_back(std::move(rows_[entry.second]));
  rows_ = std::move(sorted);

  if (!selected_) {
    selected_index_ = 0;
    return;
  }
  const auto kept = std::find_if(rows_.begin(), rows_.end(),
                                 [this](const TopRow& row) { return row.key == *selected_; });
  if (kept != rows_.end()) selected_index_ = static_cast<size_t>(kept - rows_.begin());
  // Else its row is gone for now: what stands in its place is shown as selected, and the row is
  // selected again when it comes back.
}

std::optional<size_t> TopModel::selected() const {
  if (rows_.empty()) return std::nullopt;
  return std::min(selected_index_, rows_.size() - 1);
}

std::string TopModel::scope_title() const {
  std::string text;
  if (scope_.pid) {
    const Process* process = tallies_.process(*scope_.pid);
    const std::string number = std::to_string(*scope_.pid);
    text = process == nullptr ? "process " + number : process->comm + " (" + number + ")";
  }
  if (scope_.file) {
    const File* file = tallies_.file(*scope_.file);
    if (!text.empty()) text += " > ";
    text += file == nullptr ? "file " + std::to_string(*scope_.file) : file->path;
  }
  return text;
}

std::span<const TopColumn> TopModel::visible_columns() const {
  if (view_ == TopView::kProcesses) return kProcessColumns;
  return kOtherColumns;
}

void TopModel::sort_by(TopColumn column, bool ascending) {
  sort_ = column;
  ascending_ = ascending;
  order_rows();
}

void TopModel::filter(std::string text) {
  filter_ = std::move(text);
  cursor_ = std::min(cursor_, filter_.size());
  rebuild_rows();
}

void TopModel::show(TopView view) {
  if (view == view_) return;
  if (view == TopView::kProcesses) {
    scope_ = {};
    places_.clear();
  }
  view_ = view;
  selected_.reset();
  if (sort_ == TopColumn::kPid && view != TopView::kProcesses) sort_ = TopColumn::kBytes;
  rebuild_rows();
}

}  // namespace iohops
