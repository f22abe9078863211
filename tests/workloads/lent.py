"""lent.py serve ADDRESS      prints a port, and reads what one connection sends there
lent.py ADDRESS PORT          sends a megabyte there with MSG_ZEROCOPY, waits for the kernel's notifications, and prints as
                              JSON what was sent, and of how many sends the kernel says that it copied them after all"""
import json
import select
import socket
import struct
import sys

SO_ZEROCOPY, MSG_ZEROCOPY, PART, PARTS = 60, 0x4000000, 65536, 16
COPIED = 1  # SO_EE_CODE_ZEROCOPY_COPIED


def serve(address):
    with socket.create_server((address, 0)) as server:
        print(server.getsockname()[1], flush=True)
        connection = server.accept()[0]
        while connection.recv(PART):
            pass


def notifications(connection):
    """(how many sends, whether they were copied) of each notification that is there."""
    while True:
        try:
            message = connection.recvmsg(0, 128, socket.MSG_ERRQUEUE)
        except BlockingIOError:
            return
        for _, _, data in message[1]:
            _, _, _, code, _, first, last = struct.unpack("IBBBBII", data[:16])
            yield last - first + 1, bool(code & COPIED)


def send(address, port):
    data, sent, done, copied = bytearray(PART), 0, 0, 0
    with socket.create_connection((address, port)) as connection:
        connection.setsockopt(socket.SOL_SOCKET, SO_ZEROCOPY, 1)
        calls = 0
        while sent < PART * PARTS:
            sent += connection.send(memoryview(data)[:min(PART, PART * PARTS - sent)], MSG_ZEROCOPY)
            calls += 1
        poll = select.poll()
        poll.register(connection, 0)
        while done < calls:
            poll.poll()
            for count, was_copied in notifications(connection):
                done += count
                copied += count * was_copied
    print(json.dumps({"sent": sent, "calls": calls, "copied": copied}))


if sys.argv[1] == "serve":
    serve(sys.argv[2])
else:
    send(sys.argv[1], int(sys.argv[2]))
