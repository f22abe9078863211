// OwnSummary: the summary that a recording brings along, or one made of its records if it was cut short.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>

#include "core/summarizer.hpp"

namespace iohops {

class OwnSummary : public Summarizer {
 public:
  Status file(const File& file) override {
    if (paths_.size() < kNames) paths_[file.id] = file.path;
    return {};
  }
  Status summary(const Summary& summary) override {
    own_ = summary;
    return {};
  }
  // Spends it.
  Summary get() { return own_ ? std::move(*own_) : take(); }
  const std::unordered_map<uint32_t, std::string>& paths() const { return paths_; }

 private:
  static constexpr size_t kNames = 100'000;  // a file beyond has none

  std::unordered_map<uint32_t, std::string> paths_;
  std::optional<Summary> own_;
};

}  // namespace iohops
