"""File servers and copiers that nobody here wrote. The oracles: file sizes, /proc/PID/io, what curl and strace say."""
import contextlib
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys

from lib import (PATIENCE, READS, TMP, WRITES, Recording, Trace, check, difference, equal, iohops, need, proc_io,
                 wait_exit, wait_until)

SIZE = 4 << 20
# pipeline() closes the file also where the client is gone before its end has been read; pipe() does not.
NODE = """
const fs = require('fs'), http = require('http'), { pipeline } = require('stream');
const server = http.createServer((q, r) => { r.setHeader('content-length', %d); pipeline(fs.createReadStream(process.argv[1]), r, () => {}); });
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
"""
JAVA = """
import java.net.*; import java.nio.channels.*; import java.nio.file.*; import java.nio.*;
public class Serve {
  public static void main(String[] a) throws Exception {
    ServerSocketChannel server = ServerSocketChannel.open().bind(new InetSocketAddress("127.0.0.1", 0));
    System.out.println(((InetSocketAddress) server.getLocalAddress()).getPort());
    while (true) try (SocketChannel c = server.accept(); FileChannel f = FileChannel.open(Path.of(a[0]))) {
      c.read(ByteBuffer.allocate(4096));
      c.write(ByteBuffer.wrap(("HTTP/1.0 200 OK\\r\\ncontent-length: " + f.size() + "\\r\\n\\r\\n").getBytes()));
      for (long at = 0; at < f.size();) at += f.transferTo(at, f.size() - at, c);
    }
  }
}
"""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def listens(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


@contextlib.contextmanager
def running(*command, port=None, **popen):
    """A server and its port; it prints the port unless it is given. Ended by its PID."""
    server = subprocess.Popen([*map(str, command)], stdout=subprocess.DEVNULL if port else subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True, **popen)
    try:
        if port:
            wait_until(lambda: server.poll() is not None or listens(port), "the server listens")
        else:
            port = int(server.stdout.readline())
        check(server.poll() is None, f"{command[0]} has ended")
        yield server, port
    finally:
        server.kill()
        wait_exit(server, str(command[0]))


def document():
    path = TMP / "document"
    path.write_bytes(os.urandom(SIZE))
    return path


def fetch(port, name="document"):
    done = subprocess.run(["curl", "-sS", "-o", TMP / "fetched", f"http://127.0.0.1:{port}/{name}"], text=True,
                          stderr=subprocess.PIPE)
    equal(done.returncode, 0, f"curl ({done.stderr})")
    check((TMP / "fetched").read_bytes() == (TMP / "document").read_bytes(), "what curl got is another file")


def serve(server, port):
    """What a server did for one request, traced by its PID; its bytes are what the kernel counted."""
    recording = Recording("-p", server.pid, "-f")
    before = proc_io(server.pid)
    fetch(port)
    # It has closed the file, and waits again.
    wait_until(lambda: str(TMP / "document") not in open_files(server.pid), "the file is closed")
    counted = difference(proc_io(server.pid), before)
    trace = recording.trace()
    equal(trace.lost, 0, "lost")
    return trace, counted


def open_files(pid):
    names = set()
    for link in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            names.add(os.readlink(link))
    return names


def moved(trace, *ops):
    return sum(r["result"] for r in trace.ops(*ops) if r["result"] > 0)


def copies_twice(trace, path):
    """The classic: each byte into the server's memory, and out of it."""
    equal(trace.copies(trace.on(path)), {("page_cache", "user"): SIZE}, "copies of the file")
    out = trace.copies().get(("user", "socket"), 0)
    check(SIZE <= out <= SIZE + 4096, f"{out} bytes were copied to the socket")


def relay_of(trace, path, beside=0):
    """The advice on what was read from the file and sent on: all of it, but for what was sent together with other
    memory (several segments; only the first one's address is known)."""
    file = next(f["file"] for f in trace.files.values() if f["path"] == str(path))
    flows = [f for f in trace.of_type("flow") if f["from_file"] == file]
    carried = SIZE - beside
    equal(sum(f["bytes"] for f in flows), carried, "bytes that flows carry on")
    equal({f["advice"] for f in flows}, {"sendfile"}, "advice of the flows")
    advice = [a for a in trace.summary["advice"] if a["id"] == "relay" and str(path) in a["title"]]
    equal(len(advice), 1, f"advice ({trace.summary['advice']})")
    equal(advice[0]["saves"]["bytes"], 2 * carried, "bytes whose copy would be saved")
    check(set(advice[0]["evidence_requests"]) <= {r["id"] for r in trace.on(path)}, "the proof is about other requests")


@contextlib.contextmanager
def nginx(sendfile):
    need("nginx", "curl")
    port = free_port()
    TMP.chmod(0o755)
    configuration = TMP / "nginx.conf"
    configuration.write_text(f"""
        daemon off; master_process off; worker_processes 1; pid {TMP}/nginx.pid; error_log /dev/null; user root;
        events {{ worker_connections 64; }}
        http {{ access_log off; sendfile {sendfile}; output_buffers 1 64k; client_body_temp_path {TMP}/b;
                proxy_temp_path {TMP}/p; fastcgi_temp_path {TMP}/f; uwsgi_temp_path {TMP}/u; scgi_temp_path {TMP}/s;
                server {{ listen 127.0.0.1:{port}; root {TMP}; }} }}""")
    with running("nginx", "-p", TMP, "-c", configuration, port=port) as (server, _):
        yield server, port


def test_nginx_with_sendfile_copies_nothing():
    path = document()
    with nginx("on") as (server, port):
        trace, counted = serve(server, port)
    equal(moved(trace, "sendfile"), SIZE, "bytes by sendfile")
    equal(trace.copies(trace.on(path)), {}, "copies of the file")
    equal(counted["rchar"], SIZE + moved(trace, *READS), "rchar of /proc/PID/io")
    equal([a for a in trace.summary["advice"] if a["id"] == "relay"], [], "advice")


def test_nginx_without_sendfile_copies_twice_and_is_told_so():
    path = document()
    with nginx("off") as (server, port):
        trace, counted = serve(server, port)
    copies_twice(trace, path)
    equal(counted["rchar"], moved(trace, *READS), "rchar of /proc/PID/io")
    relay_of(trace, path, beside=65536)  # the first part goes with the header


def test_python_http_server_copies_twice():
    need("curl")
    path = document()
    port = free_port()
    with running(sys.executable, "-m", "http.server", "-b", "127.0.0.1", "-d", TMP, port, port=port) as (server, _):
        trace, _ = serve(server, port)
    copies_twice(trace, path)
    relay_of(trace, path)


def test_a_node_server_copies_twice():
    need("node", "curl")
    path = document()
    with running("node", "-e", NODE % SIZE, path) as (server, port):
        trace, _ = serve(server, port)
    copies_twice(trace, path)


def test_a_java_server_with_transfer_to_copies_nothing():
    need("java", "javac", "curl")
    path = document()
    (TMP / "Serve.java").write_text(JAVA)
    with running("java", TMP / "Serve.java", path) as (server, port):
        trace, _ = serve(server, port)
    equal(moved(trace, "sendfile"), SIZE, "bytes by sendfile")
    equal(trace.copies(trace.on(path)), {}, "copies of the file")


def test_curl_receives_and_writes_each_byte_once():
    need("curl")
    document()
    port, out = free_port(), TMP / "trace.jsonl"
    with running(sys.executable, "-m", "http.server", "-b", "127.0.0.1", "-d", TMP, port, port=port):
        done = iohops("record", "-q", "-o", out, "--", "curl", "-sS", "-o", TMP / "got", "-w", "%{size_header}",
                      f"http://127.0.0.1:{port}/document")
    equal(done.returncode, 0, f"exit code ({done.stderr})")
    trace = Trace(out)
    equal(trace.lost, 0, "lost")
    equal(trace.copies(trace.on(TMP / "got")), {("user", "page_cache"): SIZE}, "copies into the file")
    received = [r for r in trace.requests if r["op"] in ("recvfrom", "read") and r["path"] == "socket" and r["result"] > 0]
    equal(sum(r["result"] for r in received), SIZE + int(done.stdout), "bytes received: the document and its header")


def test_shutil_copies_inside_the_kernel():
    path, out = document(), TMP / "trace.jsonl"
    done = iohops("record", "-q", "-o", out, "--", sys.executable, "-c",
                  f"import shutil; shutil.copyfile('{path}', '{TMP}/copy')")
    equal(done.returncode, 0, f"exit code ({done.stderr})")
    trace = Trace(out)
    equal(trace.copies(trace.on(path)), {("page_cache", "page_cache"): SIZE}, "copies of the file")


def test_redis_with_an_append_only_file():
    need("redis-server")
    port, count = free_port(), 200
    command = ("redis-server", "--port", port, "--bind", "127.0.0.1", "--dir", TMP, "--appendonly", "yes",
               "--appendfsync", "always", "--save", "")
    with running(*command, port=port) as (server, _), socket.create_connection(("127.0.0.1", port)) as client:
        answers = client.makefile("rb")
        log = wait_until(lambda: [f for f in open_files(server.pid) if re.search(r"/appendonly[^/]*\.aof$", f)],
                         "the log is open")[0]
        size = os.stat(log).st_size
        recording = Recording("-p", server.pid)
        before = proc_io(server.pid)
        for i in range(count):
            client.sendall(b"SET key:%d %s\r\n" % (i, b"x" * 100))
            equal(answers.readline(), b"+OK\r\n", "answer")
        counted = difference(proc_io(server.pid), before)
        grown = os.stat(log).st_size - size
        trace = recording.trace()
    equal(trace.lost, 0, "lost")
    equal(trace.returned(WRITES, server.pid), counted["wchar"], "bytes written, against wchar of /proc/PID/io")
    on_log = trace.on(log)
    equal(sum(r["result"] for r in on_log if r["op"] in WRITES), grown, "bytes written, against the log's size")
    syncs = [r for r in on_log if r["op"] in ("fdatasync", "fsync")]
    equal(len(syncs), count, "syncs")
    equal(trace.summary["syncs"]["requests"], count, "syncs in the summary")
    check(any(a["id"] == "sync-storm" and log in a["title"] for a in trace.summary["advice"]), "no advice on them")


def strace_sums(*command):
    """{op: bytes} that strace sees a command and its children move."""
    need("strace")
    log = TMP / "strace.txt"
    calls = READS | WRITES | {"sendfile", "copy_file_range"}
    subprocess.run(["strace", "-f", "-qq", "-o", log, "-e", f"trace={','.join(sorted(calls))}", *command], check=True,
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    sums = {}
    for op, result in re.findall(r"(?:^\d+ +|<\.\.\. )(\w+)(?: resumed>|\().*= (\d+)$", log.read_text(errors="replace"), re.M):
        sums[op] = sums.get(op, 0) + int(result)
    return {op: n for op, n in sums.items() if n}


def traced_sums(*command):
    out = TMP / "trace.jsonl"
    done = iohops("record", "-q", "-o", out, "--", *command)
    equal(done.returncode, 0, f"exit code ({done.stderr})")
    trace = Trace(out)
    equal(trace.lost, 0, "lost")
    sums = {op: moved(trace, op) for op in READS | WRITES | {"sendfile", "copy_file_range"}}
    return trace, {op: n for op, n in sums.items() if n}


def tree():
    folder = TMP / "tree"
    folder.mkdir()
    for i in range(40):
        (folder / f"file-{i}").write_bytes(os.urandom(1000 * i + 1))
    return folder, sum(f.stat().st_size for f in folder.iterdir())


def test_tar_moves_what_strace_sees():
    folder, size = tree()
    make = ["tar", "-C", str(TMP), "-cf", str(TMP / "tree.tar"), "tree"]
    expected = strace_sums(*make)
    trace, got = traced_sums(*make)
    equal(got, expected, "bytes by operation, against strace")
    of_files = [r for r in trace.requests if (trace.path_of(r) or "").startswith(f"{folder}/")]
    equal(trace.copies(of_files), {("page_cache", "user"): size}, "copies of the files")


def test_git_moves_what_strace_sees():
    need("git")
    folder, _ = tree()
    subprocess.run(["git", "init", "-q", folder], check=True)
    add = ["git", "-C", str(folder), "add", "."]
    expected = strace_sums(*add)
    shutil.rmtree(folder / ".git")
    subprocess.run(["git", "init", "-q", folder], check=True)
    _, got = traced_sums(*add)
    for sums in (expected, got):  # the index holds times, git's own random names are as long
        sums.pop("read", None)
    equal(got, expected, "bytes by operation, against strace")


def test_rsync_reads_and_writes_each_byte_once():
    need("rsync")
    folder, size = tree()
    trace, _ = traced_sums("rsync", "-a", f"{folder}/", f"{TMP}/copy/")
    read = [r for r in trace.requests if (trace.path_of(r) or "").startswith(f"{folder}/")]
    equal(trace.copies(read), {("page_cache", "user"): size}, "copies of the files")
    written = [r for r in trace.requests if (trace.path_of(r) or "").startswith(f"{TMP}/copy/") and r["op"] in WRITES]
    equal(trace.copies(written), {("user", "page_cache"): size}, "copies into the copies")


def fio(engine):
    need("fio")
    data, out = TMP / "fio.data", TMP / "trace.jsonl"
    data.write_bytes(os.urandom(SIZE))
    done = iohops("record", "-q", "-f", "-o", out, "--", "fio", "--name=t", f"--filename={data}", f"--ioengine={engine}",
                  "--rw=read", "--bs=16k", f"--size={SIZE}", "--thread=1", "--output-format=json", "--invalidate=0",
                  "--allow_file_create=0", cwd=TMP)
    equal(done.returncode, 0, f"exit code ({done.stderr})")
    equal(json.loads(done.stdout[done.stdout.index("{"):])["jobs"][0]["read"]["io_bytes"], SIZE, "bytes, as fio says")
    trace = Trace(out)
    equal(trace.lost, 0, "lost")
    return trace, data


def test_fio_with_read():
    trace, data = fio("sync")
    equal(trace.copies(trace.on(data)), {("page_cache", "user"): SIZE}, "copies")


def test_fio_with_splice_hands_pages_on():
    trace, data = fio("splice")
    splices = [r for r in trace.on(data) if r["op"] == "splice" and r["result"] > 0]
    equal(sum(r["result"] for r in splices), SIZE, "bytes by splice")
    equal(trace.copies(splices), {}, "copies")


def test_fio_with_mmap_calls_nothing_for_the_file():
    trace, data = fio("mmap")
    equal([r["op"] for r in trace.on(data) if r["op"] in READS], [], "reads")
    equal(trace.copies(trace.on(data)), {}, "copies")
