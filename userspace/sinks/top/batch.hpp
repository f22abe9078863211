// The rows of top for pipes and files: a line of totals, a line of titles, aligned rows.
#pragma once

#include <cstddef>
#include <string>

#include "core/top/model.hpp"

namespace iohops {

struct TopBatchOptions {
  size_t max_rows = 0;  // 0: all
  bool utf8 = true;
};

// One iteration, every line ended by a newline. Iterations are told apart by an empty line, which
// the caller writes between them.
std::string batch_rows(const TopModel&, const TopBatchOptions& = {});

}  // namespace iohops
