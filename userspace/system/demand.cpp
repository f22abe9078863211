#include "system/demand.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>

namespace iohops {

Demand::Demand()
    : file_(open("/proc/loadavg", O_RDONLY | O_CLOEXEC)), cpus_(sysconf(_SC_NPROCESSORS_ONLN)) {}

bool Demand::exceeds() const {
  char text[128] = {};
  long running = 0;
  if (!file_ || pread(file_.get(), text, sizeof text - 1, 0) <= 0) return false;
  return std::sscanf(text, "%*s %*s %*s %ld/", &running) == 1 && running > cpus_;
}

}  // namespace iohops
