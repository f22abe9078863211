"""What kernels do at their edges: refused buffers, pages handed to a direct target, requests that never end."""
import json
import os
import pathlib
import signal
import subprocess

from lib import (PATIENCE, READ, TMP, Recording, Skip, Trace, check, equal, file_system, in_system_call, iohops,
                 loop_device, need, run, wait_until)

MIB = 1 << 20


def traced(code, *arguments):
    out = TMP / "trace.jsonl"
    done = iohops("record", "-o", out, "--", "/usr/bin/python3", "-c", code, *arguments)
    equal(done.returncode, 0, f"exit code ({done.stderr})")
    return Trace(out), done.stdout


def of(trace, op, path):
    return [r for r in trace.ops(op, op + "2") if trace.path_of(r) == str(path)]


def need_direct():
    """O_DIRECT is refused where there is no device below."""
    try:
        os.close(os.open(TMP / "direct", os.O_RDWR | os.O_CREAT | os.O_DIRECT))
    except OSError as error:
        raise Skip(f"no such device: {TMP} cannot be used with O_DIRECT: {error}") from None


REFUSED = """
import mmap, os, sys
file = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT | os.O_DIRECT)
memory = memoryview(mmap.mmap(-1, 1 << 17))
os.pwritev(file, [memory[:65536]], 0)
try:
    print(os.pwritev(file, [memory[1:65537]], 0))
except OSError as error:
    print(-error.errno)
"""


def test_a_buffer_that_the_device_refuses_moves_nothing():
    need_direct()
    path = TMP / "refused"
    trace, said = traced(REFUSED, path)
    if json.loads(said) != -22:
        raise Skip("this device or file system takes buffers at any address")
    taken, refused = of(trace, "pwritev", path)
    equal(taken["dma_bytes"], 65536, "DMA of the first")
    equal((refused["result"], refused["dma_bytes"], refused["dma_transfers"], refused["cpu_copies"]), (-22, 0, 0, 0),
          "of the refused one: result, DMA, copies")
    equal({t["error"] for t in trace.transfers if t["error"]} - {-22}, set(), "errors of transfers")


HANDED = """
import os, sys
source = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT | os.O_TRUNC)
target = os.open(sys.argv[2], os.O_RDWR | os.O_CREAT | os.O_TRUNC)
os.posix_fallocate(target, 0, 1 << 20)
os.write(target, bytes(1 << 20))
os.fsync(target)
direct = os.open(sys.argv[2], os.O_WRONLY | os.O_DIRECT)
os.write(source, b'x' * (1 << 20))
print(os.sendfile(direct, source, 0, 65536))
os.fsync(source)
"""


def test_pages_handed_to_a_direct_target_are_not_written_back():
    need_direct()
    source, target = TMP / "source", TMP / "target"
    trace, said = traced(HANDED, source, target)
    equal(json.loads(said), 65536, "moved")
    move = trace.ops("sendfile")[0]
    fsync = of(trace, "fsync", source)[0]
    if move["dirtied_bytes"] >= 65536:
        raise Skip("this file system writes all of it through its page cache")
    equal((move["cpu_copies"], move["dma_bytes"]), (0, 65536), "copies and DMA of the move")
    equal({t["cause"] for t in trace.transfers if move["id"] in [o["request"] for o in t["owners"]]}, {"direct"}, "cause")
    check(fsync["dma_bytes"] >= MIB, f"all of the source is still to be written: {fsync['dma_bytes']}")
    write = of(trace, "write", source)[0]
    owed = sum(s["bytes"] for e in trace.effects for s in e["requests"] if s["request"] == write["id"])
    equal(owed, MIB, "bytes that a device wrote for the write")


READER = """
import os, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
pipe = os.pipe()[0]
print("ready", flush=True)
signal.sigwait({signal.SIGUSR1})
os.read(pipe, 1)
"""


def test_a_request_that_is_still_running_tells_how_long_it_waited():
    reader = subprocess.Popen(["/usr/bin/python3", "-c", READER], stdout=subprocess.PIPE, text=True)
    equal(reader.stdout.readline(), "ready\n", "what it says")
    recording = Recording("-p", reader.pid)
    reader.send_signal(signal.SIGUSR1)
    wait_until(lambda: in_system_call(reader.pid, READ), "it waits in its read")
    equal(recording.stop(), 0, "exit code")
    reader.kill()
    reader.wait()
    open_ones = [r for r in recording.trace().ops("read") if r.get("ended") == "open"]
    if not open_ones:
        raise Skip("this kernel tells of no requests that are still running")
    read = open_ones[0]
    equal(read["context_switches"]["voluntary"], 1, "sleeps")
    wait = [h for h in read["hops"] if h["hop"] == "wait"]
    equal(len(wait), 1, "waits")
    equal(wait[0]["end_ns"] - wait[0]["at_ns"], read["off_cpu_ns"], "the wait is the time off the CPU")
    equal(wait[0]["end_ns"], read["start_ns"] + read["duration_ns"], "and lasts as long as the request")


SWAPPED = """
import mmap, sys
memory = mmap.mmap(-1, 4 << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
for page in range(0, len(memory), 4096):
    memory[page] = 1 + page % 251
print("ready", flush=True)
sys.stdin.readline()
memory.madvise(21)  # MADV_PAGEOUT
sum(memory[::4096])  # now they are clean, and go
memory.madvise(21)
with open("/dev/shm/iohops-edges", "wb", buffering=0) as copy:
    copy.write(memory)
"""


def test_what_is_swapped_is_no_direct_request():
    need("mkswap", "swapon")
    swap = TMP / "swap"
    swap.write_bytes(bytes(16 << 20))
    swap.chmod(0o600)
    subprocess.run(["mkswap", swap], check=True, capture_output=True)
    if subprocess.run(["swapon", "-p", "32000", swap], capture_output=True).returncode != 0:
        raise Skip("no swap can be had here")
    try:
        program = subprocess.Popen(["/usr/bin/python3", "-c", SWAPPED], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        program.stdout.readline()
        recording = Recording("-p", program.pid)
        program.communicate(b"\n", timeout=PATIENCE)
        recording.wait()
        trace = recording.trace()
    finally:
        subprocess.run(["swapoff", swap], check=True)
        pathlib.Path("/dev/shm/iohops-edges").unlink(missing_ok=True)
    moved = {(t["op"], t["cause"]) for t in trace.transfers if t["bytes"]}
    if not any(op == "write" for op, _ in moved):
        raise Skip("the kernel swapped nothing out")
    moved.discard(("read", "readahead"))  # python's own
    check(("write", "swap") in moved and ("read", "swap") in moved, f"operations and causes: {moved}")
    equal({cause for op, cause in moved if op == "write"}, {"swap"}, "causes of writes")
    copy = [r for r in trace.ops("write") if trace.path_of(r) == "/dev/shm/iohops-edges"][0]
    swapped_in = [h for h in copy["hops"] if h["hop"] == "dma"]
    equal({(h["cause"], h["to"]) for h in swapped_in}, {("swap", "user")}, "what the write waited for")


JOURNALLED = """
import mmap, os, sys
file = os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECT)
print(os.preadv(file, [mmap.mmap(-1, 65536)], 0))
"""


def test_a_file_whose_data_is_journalled_is_never_read_directly():
    with loop_device(64 * MIB) as device, file_system("ext4", device) as folder:
        run("umount", folder)
        run("mount", "-t", "ext4", "-o", "data=journal", device, folder)
        path = folder / "file"
        path.write_bytes(b"x" * 65536)  # it stays cached
        trace, said = traced(JOURNALLED, path)
        equal(json.loads(said), 65536, "read")
        read = of(trace, "preadv", path)[0]
        equal((read["cpu_copy_bytes"], read["path"], read["cache"]), (65536, "buffered", "hit"), "copied, path, cache")
