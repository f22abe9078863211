"""moves.py FOLDER   moves known bytes in every way that has a system call of its own, and prints what it
moved as JSON: {name: [[operation, from kind, to kind, bytes as this program counts them], ...]}.
What arrives is compared with what was sent."""
import ctypes
import json
import os
import select
import socket
import sys
import threading

folder, size = sys.argv[1], 1 << 20
data = os.urandom(size)
libc = ctypes.CDLL(None, use_errno=True)
done = []


def note(operation, source, target, moved):
    done.append([operation, source, target, moved])


class Receiver(threading.Thread):
    """Takes `count` bytes with recv(2), so that a sender need not stop."""

    def __init__(self, end, count):
        super().__init__()
        self.end, self.count, self.got = end, count, bytearray()
        self.start()

    def run(self):
        while len(self.got) < self.count:
            part = self.end.recv(65536)
            note("recvfrom", "socket", "user", len(part))
            self.got += part


def tcp():
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        return client, server.accept()[0]


def send_whole(target, source, kind):
    receiver, at = Receiver(target[1], size), 0
    while at < size:
        moved = os.sendfile(target[0].fileno(), source, at, size - at)
        note("sendfile", "page_cache", kind, moved)
        at += moved
    receiver.join()
    assert receiver.got == data


def messages():
    client, server = tcp()
    note("sendto", "user", "socket", client.send(b"a" * 1000))
    note("recvfrom", "socket", "user", len(server.recv(600, socket.MSG_PEEK)))  # copies, and again below
    note("recvfrom", "socket", "user", len(server.recv(400)))
    note("recvfrom", "nothing", "nothing", server.recv_into(bytearray(600), 600, socket.MSG_TRUNC))
    note("sendmsg", "user", "socket", client.sendmsg([b"b" * 30, b"c" * 20]))
    note("recvmsg", "socket", "user", len(server.recvmsg(100)[0]))
    receiver, sender = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in "io")
    receiver.bind(("127.0.0.1", 0))
    note("sendto", "user", "socket", sender.sendto(b"d" * 1400, receiver.getsockname()))
    assert receiver.recv_into(bytearray(100), 100, socket.MSG_TRUNC) == 1400
    note("recvfrom", "socket", "user", 100)


def splices(source, target):
    out, into = os.pipe()
    note("splice", "page_cache", "pipe", os.splice(source, into, 65536, offset_src=0))
    note("splice", "pipe", "page_cache", os.splice(out, target, 65536, offset_dst=0))
    other_out, other_into = os.pipe()
    os.write(into, b"e" * 100)
    note("tee", "pipe", "pipe", libc.tee(out, other_into, 100, 0))
    note("splice", "pipe", "pipe", os.splice(out, other_into, 100))
    buffer = ctypes.create_string_buffer(b"f" * 5000, 5000)
    vector = (ctypes.c_void_p * 2)(ctypes.addressof(buffer), 5000)
    note("vmsplice", "user", "pipe", libc.vmsplice(into, vector, 1, 0))
    os.close(into)


def files(source, target):
    note("copy_file_range", "page_cache", "page_cache", os.copy_file_range(source, target, size, 0, 0))
    assert os.pread(target, size, 0) == data
    note("sendfile", "page_cache", "page_cache", os.sendfile(target, source, 0, 4096))


def waits():
    client, server = tcp()
    poll = select.epoll()
    poll.register(server, select.EPOLLIN)
    client.send(b"g")
    note("sendto", "user", "socket", 1)
    assert len(poll.poll()) == 1
    assert select.select([server], [], [])[0]


def main():
    source = os.open(f"{folder}/source", os.O_RDWR | os.O_CREAT)
    target = os.open(f"{folder}/target", os.O_RDWR | os.O_CREAT)
    os.write(source, data)
    os.fsync(source)
    send_whole(tcp(), source, "socket")
    send_whole(socket.socketpair(), source, "socket")
    messages()
    files(source, target)
    splices(source, target)
    waits()
    json.dump(done, sys.stdout)


main()
