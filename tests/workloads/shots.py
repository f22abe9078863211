"""shots.py COUNT    one receive of io_uring that completes COUNT times, with 100 bytes each. Prints its descriptor."""
import ctypes
import socket
import struct
import sys

from waiting import ENTER, GETEVENTS, Ring

PROVIDE_BUFFERS, RECV = 31, 27
BUFFER_SELECT, MULTISHOT = 32, 2
BYTES = 100


def main(count):
    memory = ctypes.create_string_buffer(BYTES * count)
    ring = Ring(1024)
    sender, receiver = socket.socketpair()

    def submit(op, flags, how, fd, address, length):
        struct.pack_into("BBHiQQIIQ24x", ring.entries, 64 * (ring.tail % 1024), op, flags, how, fd, 0, address, length, 0, 0)
        ring.tail += 1
        struct.pack_into("I", ring.sq, ring.sq_tail, ring.tail)
        if ring.call(ENTER, ring.fd, 1, 0, 0, None, 0) != 1:
            sys.exit("io_uring_enter took nothing")

    def result():
        while struct.unpack_from("I", ring.cq, ring.cq_tail)[0] == ring.head:
            ring.call(ENTER, ring.fd, 0, 1, GETEVENTS, None, 0)
        said = struct.unpack_from("i", ring.cq, ring.cqes + 16 * (ring.head % ring.cq_entries) + 8)[0]
        ring.head += 1
        struct.pack_into("I", ring.cq, ring.cq_head, ring.head)
        return said

    submit(PROVIDE_BUFFERS, 0, 0, count, ctypes.addressof(memory), BYTES)
    if result() < 0:
        sys.exit("no such device: buffers cannot be provided")
    submit(RECV, BUFFER_SELECT, MULTISHOT, receiver.fileno(), 0, 0)
    for _ in range(count):
        sender.send(bytes(BYTES))
        got = result()
        if got != BYTES:
            sys.exit(f"no such device: a receive that completes often is not to be had ({got})")
    print(receiver.fileno())


main(int(sys.argv[1]))
