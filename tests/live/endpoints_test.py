"""What is not a page-cache file: pipes, sockets, character devices, memory file systems."""
import os

from lib import Skip, equal, traced


def test_pipes_and_sockets_copy_each_way():
    trace, oracle, _ = traced("pipe_and_socket", count=50)
    trace.equals_program_count(oracle)
    n = 50 * 4096
    equal(trace.copies(), {("user", "pipe"): n, ("pipe", "user"): n, ("user", "socket"): n,
                           ("socket", "user"): n}, "CPU copies")
    calls = trace.ops("read", "write")
    equal({(r["path"], r["cache"]) for r in calls}, {("pipe", "none"), ("socket", "none")}, "path and cache")


def test_character_devices_copy_from_and_to_the_kernel():
    trace, oracle, _ = traced("devices", count=50)
    trace.equals_program_count(oracle)
    calls = trace.ops("read", "write")
    equal({trace.path_of(r): trace.files[r["file"]]["kind"] for r in calls},
          {"/dev/null": "char", "/dev/zero": "char"}, "files")
    equal({r["cache"] for r in calls}, {"none"}, "cache")
    equal(trace.summary["dma"]["bytes"], 0, "DMA")


def test_a_memory_file_system_has_no_page_cache_and_no_dma():
    path = f"/dev/shm/iohops-test-{os.getpid()}"
    if not os.path.ismount("/dev/shm"):
        raise Skip("no such device: /dev/shm is no file system of its own")
    try:
        trace, oracle, _ = traced("hot_pread", path=path, count=50)
    finally:
        if os.path.exists(path):
            os.unlink(path)
    trace.equals_program_count(oracle)
    equal({(r["path"], r["cache"], r["cpu_copy_bytes"], r["dma_bytes"]) for r in trace.on(path)},
          {("memory", "none", 4096, 0)}, "path, cache, copied, DMA")
