// What keys do to top's model. Sees key presses, not the terminal that they came from.
#include <algorithm>
#include <array>

#include "core/top/model.hpp"

namespace iohops {
namespace {

using Code = TopKey::Code;
using std::chrono::milliseconds;

constexpr std::array kIntervals{milliseconds(100),   milliseconds(250),   milliseconds(500),
                                milliseconds(1000),  milliseconds(2000),  milliseconds(5000),
                                milliseconds(10000), milliseconds(30000), milliseconds(60000)};
constexpr size_t kFilterBytes = 256;

bool grows_upwards(TopColumn column) {
  return column == TopColumn::kPid || column == TopColumn::kName;
}

bool continues_character(char byte) { return (static_cast<unsigned char>(byte) & 0xc0) == 0x80; }

size_t character_before(const std::string& text, size_t at) {
  while (at > 0 && continues_character(text[--at])) {
  }
  return at;
}

size_t character_after(const std::string& text, size_t at) {
  if (at < text.size()) ++at;
  while (at < text.size() && continues_character(text[at])) ++at;
  return at;
}

// Letters that mean what a key of its own means.
Code key_of(char32_t letter) {
  switch (letter) {
    case 'j':
      return Code::kDown;
    case 'k':
      return Code::kUp;
    case 's':
    case '>':
      return Code::kRight;
    case '<':
      return Code::kLeft;
    case '?':
    case 'h':
      return Code::kHelp;
    default:
      return Code::kCharacter;
  }
}

std::string to_utf8(char32_t c) {
  const auto tail = [c](int shift) { return static_cast<char>(0x80 | (c >> shift & 0x3f)); };
  if (c < 0x80) return {static_cast<char>(c)};
  if (c < 0x800) return {static_cast<char>(0xc0 | c >> 6), tail(0)};
  if (c < 0x10000) return {static_cast<char>(0xe0 | c >> 12), tail(6), tail(0)};
  return {static_cast<char>(0xf0 | c >> 18), tail(12), tail(6), tail(0)};
}

}  // namespace

bool TopModel::handle(const TopKey& key, size_t page_rows) {
  if (help_) {
    help_ = false;
    return true;
  }
  if (editing_) {
    handle_editing(key);
    return true;
  }
  return handle_command(key, page_rows);
}

bool TopModel::handle_command(const TopKey& key, size_t page_rows) {
  const long page = static_cast<long>(std::max<size_t>(page_rows, 1));
  switch (key.code == Code::kCharacter ? key_of(key.character) : key.code) {
    case Code::kCharacter:
      return handle_character(key.character);
    case Code::kUp:
      move(-1);
      break;
    case Code::kDown:
      move(1);
      break;
    case Code::kPageUp:
      move(-page);
      break;
    case Code::kPageDown:
      move(page);
      break;
    case Code::kHome:  // and follow the first row from now on
      selected_.reset();
      selected_index_ = 0;
      break;
    case Code::kEnd:
      move(static_cast<long>(rows_.size()));
      break;
    case Code::kLeft:
      next_column(-1);
      break;
    case Code::kRight:
      next_column(1);
      break;
    case Code::kEnter:
      enter();
      break;
    case Code::kEscape:
    case Code::kBackspace:
      leave();
      break;
    case Code::kTab:
      show(view_ == TopView::kProcesses ? TopView::kFiles
           : view_ == TopView::kFiles   ? TopView::kOps
                                        : TopView::kProcesses);
      break;
    case Code::kHelp:
      help_ = true;
      break;
    case Code::kDelete:
    case Code::kOther:
      break;
  }
  return true;
}

bool TopModel::handle_character(char32_t c) {
  switch (c) {
    case 'q':
    case 'Q':
      return false;
    case 'r':
    case 'I':
      sort_by(sort_, !ascending_);
      break;
    case '/':
      editing_ = true;
      filter_before_ = filter_;
      cursor_ = filter_.size();
      break;
    case ' ':
      frozen_ = !frozen_;
      if (!frozen_) show_latest();
      break;
    case 'o':
      active_only_ = !active_only_;
      rebuild_rows();
      break;
    case '+':
    case '=':
      change_interval(1);
      break;
    case '-':
      change_interval(-1);
      break;
    case '1':
      show(TopView::kProcesses);
      break;
    case '2':
      show(TopView::kFiles);
      break;
    case '3':
      show(TopView::kOps);
      break;
    default:
      break;
  }
  return true;
}

void TopModel::erase_filter(size_t from, size_t to) {
  std::string text = filter_;
  text.erase(from, to - from);
  cursor_ = from;
  filter(std::move(text));
}

void TopModel::handle_editing(const TopKey& key) {
  constexpr char32_t kControlU = 0x15;
  if (key.code == Code::kEnter) {
    editing_ = false;
  } else if (key.code == Code::kEscape) {
    editing_ = false;
    filter(filter_before_);
  } else if (key.code == Code::kBackspace) {
    erase_filter(character_before(filter_, cursor_), cursor_);
  } else if (key.code == Code::kDelete) {
    erase_filter(cursor_, character_after(filter_, cursor_));
  } else if (key.code == Code::kLeft) {
    cursor_ = character_before(filter_, cursor_);
  } else if (key.code == Code::kRight) {
    cursor_ = character_after(filter_, cursor_);
  } else if (key.code == Code::kHome) {
    cursor_ = 0;
  } else if (key.code == Code::kEnd) {
    cursor_ = filter_.size();
  } else if (key.code == Code::kCharacter && key.character == kControlU) {
    erase_filter(0, cursor_);
  } else if (key.code == Code::kCharacter && key.character >= 0x20 && key.character != 0x7f) {
    const std::string typed = to_utf8(key.character);
    if (filter_.size() + typed.size() > kFilterBytes) return;
    std::string text = filter_;
    text.insert(cursor_, typed);
    cursor_ += typed.size();
    filter(std::move(text));
  }
}

void TopModel::move(long rows) {
  const auto now = selected();
  if (!now) return;
  const long last = static_cast<long>(rows_.size()) - 1;
  selected_index_ = static_cast<size_t>(std::clamp(static_cast<long>(*now) + rows, 0L, last));
  selected_ = rows_[selected_index_].key;
}

void TopModel::next_column(int step) {
  const auto columns = visible_columns();
  const auto count = static_cast<int>(columns.size());
  const auto at = std::find(columns.begin(), columns.end(), sort_);
  const int next = at == columns.end() ? 0 : static_cast<int>(at - columns.begin()) + step;
  const TopColumn column = columns[static_cast<size_t>((next + count) % count)];
  sort_by(column, grows_upwards(column));
}

void TopModel::change_interval(int step) {
  if (step > 0) {
    const auto longer = std::upper_bound(kIntervals.begin(), kIntervals.end(), interval_);
    if (longer != kIntervals.end()) interval_ = *longer;
  } else {
    const auto same = std::lower_bound(kIntervals.begin(), kIntervals.end(), interval_);
    if (same != kIntervals.begin()) interval_ = *(same - 1);
  }
}

void TopModel::enter() {
  const auto row = selected();
  if (!row || view_ == TopView::kOps) return;
  const TopRow chosen = rows_[*row];
  const Place here{view_, scope_, selected_, filter_};
  if (view_ == TopView::kProcesses) {
    scope_.pid = chosen.pid;  // 0: what the kernel wrote back for several, by file
    view_ = TopView::kFiles;
  } else {
    scope_.file = chosen.key;
    view_ = TopView::kOps;
  }
  places_.push_back(here);
  places_.back().selected = chosen.key;
  selected_.reset();
  if (sort_ == TopColumn::kPid) sort_ = TopColumn::kBytes;
  filter({});
}

void TopModel::leave() {
  if (places_.empty()) {
    if (!filter_.empty()) filter({});
    return;
  }
  const Place back = places_.back();
  places_.pop_back();
  view_ = back.view;
  scope_ = back.scope;
  selected_ = back.selected;
  filter(back.filter);
}

}  // namespace iohops
