// Attaches the empty pair, prints "attached", and detaches at the end of standard input.
#include <bpf/libbpf.h>
#include <unistd.h>

#include <cstdio>

#include "bench/empty.skel.h"

int main() {
  empty_bpf* pair = empty_bpf__open_and_load();
  if (pair == nullptr || empty_bpf__attach(pair) != 0) {
    std::perror("empty: cannot attach to sys_enter and sys_exit");
    return 1;
  }
  std::puts("attached");
  std::fflush(stdout);
  char byte;
  while (read(STDIN_FILENO, &byte, 1) > 0) {
  }
  empty_bpf__destroy(pair);
  return 0;
}
