#include "system/random.hpp"

#include <sys/random.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace iohops {

Status fill_random(unsigned char* into, size_t bytes) {
  for (size_t done = 0; done < bytes;) {
    const ssize_t got = getrandom(into + done, bytes - done, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0)
      return Error{ErrorKind::kRuntime, std::string("cannot make a random key (getrandom): ") + std::strerror(errno)};
    done += static_cast<size_t>(got);
  }
  return {};
}

}  // namespace iohops
