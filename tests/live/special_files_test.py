"""Files that are not what they seem: overlays, FUSE, huge pages, anonymous inodes, shared extents. Never called
page cache or DMA where they are not; the oracles: /proc/PID/io, and what the program itself says."""
import contextlib
import json
import pathlib
import subprocess

from lib import TMP, PATIENCE, Skip, Trace, check, disk_of, equal, iohops, need

SIZE = 1 << 20
HUGE = pathlib.Path("/proc/sys/vm/nr_hugepages")
# What each program has in common: `said` is printed at its end.
PRELUDE = f"""
import ctypes, json, mmap, os, select, struct, sys
size, folder, said = {SIZE}, sys.argv[1], {{}}
def io(): return {{k: int(v) for k, v in (l.split(': ') for l in open('/proc/self/io'))}}
def cold(fd): os.fsync(fd); os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
"""


def traced(program, folder):
    """(trace, what the program said) of a Python program in a folder."""
    out = TMP / "trace.jsonl"
    done = iohops("record", "-q", "-o", out, "--", "/usr/bin/python3", "-c", PRELUDE + program + "\nprint(json.dumps(said))",
                  folder)
    equal(done.returncode, 0, f"exit code ({done.stderr})")
    trace = Trace(out)
    equal(trace.lost, 0, "lost")
    return trace, json.loads(done.stdout)


def run(*command):
    return subprocess.run([*map(str, command)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=PATIENCE)


@contextlib.contextmanager
def mounted(kind, source, folder, options):
    folder.mkdir()
    done = run("mount", "-t", kind, *(["-o", options] if options else []), source, folder)
    if done.returncode:
        raise Skip(f"this kernel, or whoever runs it, mounts no {kind}: {done.stdout.strip()}")
    try:
        yield folder
    finally:
        run("umount", "-l", folder)


@contextlib.contextmanager
def overlay(below):
    for name in ("lower", "upper", "work"):
        (below / name).mkdir()
    (below / "lower" / "old").write_bytes(bytes(SIZE))
    subprocess.run(["sync", below / "lower" / "old"], check=True)
    options = f"lowerdir={below}/lower,upperdir={below}/upper,workdir={below}/work"
    with mounted("overlay", "overlay", TMP / "merged", options) as merged:
        yield merged


OVERLAY = """
f = os.open(folder + '/new', os.O_RDWR | os.O_CREAT)
os.write(f, bytes(size)); os.fsync(f)
old = os.open(folder + '/old', os.O_RDONLY); cold(old)
before = io(); os.pread(old, size, 0); said['old'] = io()['read_bytes'] - before['read_bytes']
up = os.open(folder + '/old', os.O_RDWR); os.pwrite(up, b'x' * 4096, 0); cold(up)
before = io(); os.pread(up, size, 0); said['copied up'] = io()['read_bytes'] - before['read_bytes']
"""


def test_an_overlay_on_a_disk_is_page_cache_before_and_after_it_copies_a_file_up():
    disk_of(TMP)
    with overlay(TMP) as merged:
        trace, said = traced(OVERLAY, merged)
        read = sorted((r for r in trace.ops("pread64") if trace.path_of(r) == str(merged / "old")),
                      key=lambda r: r["start_ns"])
        equal([(r["path"], r["cache"], r["miss_bytes"], r["cpu_copy_bytes"]) for r in read],
              2 * [("buffered", "miss", SIZE, SIZE)], "path, cache, missed, copied")
        # The kernel counts the blocks of metadata that were read on the way, too.
        for r, kernel in zip(read, (said["old"], said["copied up"])):
            check(SIZE <= r["dma_bytes"] <= kernel, f"{r['dma_bytes']} bytes by DMA, {kernel} by /proc/PID/io")


def test_an_overlay_in_memory_has_no_page_cache():
    with mounted("tmpfs", "tmpfs", TMP / "memory", "") as memory, overlay(memory) as merged:
        trace, said = traced(OVERLAY, merged)
        equal(said, {"old": 0, "copied up": 0}, "read_bytes of /proc/PID/io")
        on = [r for name in ("new", "old") for r in trace.on(merged / name) if r["moves_data"]]
        equal({(r["path"], r["cache"], r["dma_bytes"]) for r in on}, {("memory", "none", 0)}, "path, cache, DMA")
        equal(trace.copies(on), {("user", "kernel"): SIZE + 4096, ("kernel", "user"): 2 * SIZE}, "copies")


FUSE = """
f = os.open(folder + '/data', os.O_RDWR | os.O_CREAT)
os.write(f, bytes(size)); cold(f)
said['read'] = [len(os.pread(f, size, 0)) for _ in range(2)]
"""


@contextlib.contextmanager
def fuse(*options):
    need("fuse2fs", "mke2fs")
    image, folder = TMP / "fuse.ext2", TMP / "fuse"
    with open(image, "wb") as disk:
        disk.truncate(16 << 20)
    subprocess.run(["mke2fs", "-q", "-F", image], check=True, stdout=subprocess.DEVNULL)
    folder.mkdir()
    done = run("fuse2fs", image, folder, "-o", ",".join(("fakeroot",) + options))
    if done.returncode or not folder.is_mount():
        raise Skip(f"this kernel, or whoever runs it, mounts no FUSE: {done.stdout.strip()}")
    try:
        yield folder
    finally:
        run("umount", folder)


def test_fuse_with_page_cache_moves_no_byte_by_dma():
    with fuse() as folder:
        trace, said = traced(FUSE, folder)
    equal(said["read"], [SIZE, SIZE], "read")
    read = sorted((r for r in trace.on(folder / "data") if r["op"] == "pread64"), key=lambda r: r["start_ns"])
    equal([(r["path"], r["cache"], r["dma_bytes"]) for r in read], [("buffered", "miss", 0), ("buffered", "hit", 0)],
          "path, cache, DMA")
    equal(trace.copies(trace.on(folder / "data")), {("user", "page_cache"): SIZE, ("page_cache", "user"): 2 * SIZE}, "copies")


def test_fuse_without_page_cache_is_direct():
    with fuse("direct_io") as folder:
        trace, _ = traced(FUSE, folder)
    on = [r for r in trace.on(folder / "data") if r["moves_data"]]
    equal(sorted(r["op"] for r in on), ["pread64", "pread64", "write"], "requests")
    equal({(r["path"], r["cache"], r["cpu_copy_bytes"], r["dma_bytes"]) for r in on}, {("direct", "bypass", 0, 0)},
          "path, cache, copied, DMA")


@contextlib.contextmanager
def huge_pages(count):
    had = HUGE.read_text() if HUGE.exists() else None
    if had is None:
        raise Skip("this kernel has no huge pages")
    HUGE.write_text(str(int(had) + count))
    try:
        if int(HUGE.read_text()) < int(had) + count:
            raise Skip("this kernel has no memory in one piece left for huge pages")
        with mounted("hugetlbfs", "none", TMP / "huge", "") as folder:
            yield folder
    finally:
        HUGE.write_text(had)


def test_huge_pages_are_memory():
    with huge_pages(2) as folder:
        trace, said = traced("""
f = os.open(folder + '/data', os.O_RDWR | os.O_CREAT); os.ftruncate(f, 4 << 20)
m = mmap.mmap(f, 4 << 20); m[0] = 1; m[3 << 20] = 2
said['read'] = len(os.pread(f, size, 0))
m.close(); os.close(f); os.unlink(folder + '/data')
""", folder)
        on = trace.on(folder / "data")
    equal({(r["op"], r["path"], r["cache"], r["miss_bytes"], r["readahead_bytes"], r["dma_bytes"]) for r in on},
          {("page_fault", "mapped", "none", 0, 0, 0), ("pread64", "memory", "none", 0, 0, 0)}, "requests")
    equal(trace.copies(on), {("kernel", "user"): said["read"]}, "copies")


def test_anonymous_files_are_told_apart_though_their_inode_is_the_same():
    trace, said = traced("""
libc = ctypes.CDLL(None)
def use(fd, write=b''):
    if write: os.write(fd, write)
    got = os.read(fd, 4096); os.close(fd); return len(got)
def timer():
    fd = libc.timerfd_create(1, 0); libc.timerfd_settime(fd, 0, struct.pack('qqqq', 0, 0, 0, 1), None); return fd
def watch():
    fd = libc.inotify_init(); libc.inotify_add_watch(fd, folder.encode(), 0x100); open(folder + '/made', 'w').close(); return fd
for _ in range(3):  # each gets the descriptor that the last one had
    for name, fd, data in (('[eventfd]', os.eventfd(0), struct.pack('Q', 7)), ('[timerfd]', timer(), b''), ('inotify', watch(), b'')):
        said[name] = said.get(name, 0) + use(fd, data)
    os.unlink(folder + '/made')
""", TMP)
    equal({name: sum(r["result"] for r in trace.on(f"anon_inode:{name}") if r["op"] == "read") for name in said}, said,
          "bytes read")
    on = [r for name in said for r in trace.on(f"anon_inode:{name}")]
    equal({(r["path"], r["cache"]) for r in on}, {("memory", "none")}, "path and cache")


def test_extents_that_files_share_are_copied_by_nobody():
    need("mkfs.xfs")
    image = TMP / "xfs"
    with open(image, "wb") as disk:
        disk.truncate(320 << 20)
    subprocess.run(["mkfs.xfs", "-q", image], check=True, stdout=subprocess.DEVNULL)
    with mounted("xfs", image, TMP / "shared", "loop") as folder:
        trace, said = traced("""
a, b = (os.open(folder + name, os.O_RDWR | os.O_CREAT) for name in ('/a', '/b'))
os.write(a, os.urandom(size)); os.fsync(a)
said['shared'] = os.copy_file_range(a, b, size, 0, 0)
said['copied'] = os.copy_file_range(a, b, 1000, 0, 100)  # not whole blocks
assert os.pread(b, size, 0)[100:1100] == os.pread(a, 1000, 0)
""", folder)
        moves = sorted(trace.ops("copy_file_range"), key=lambda r: r["start_ns"])
        # What the loop device copies of metadata on the way is its own, and named so.
        copied = [sum(h["bytes"] for h in r["hops"] if h["hop"] == "cpu_copy" and h["device"] is None) for r in moves]
        equal([r["result"] for r in moves], [said["shared"], said["copied"]], "moved")
        equal(copied, [0, said["copied"]], "copied from file to file")
        equal(moves[0]["cache"], "bypass", "cache")
        equal({t["dma"]["dma"] for t in trace.transfers if t["device"].startswith("7:")} - {False}, set(), "a loop device has no DMA")
