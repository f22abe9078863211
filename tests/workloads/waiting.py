"""waiting.py PIPES EACH ROUNDS    keeps PIPES x EACH reads of io_uring in flight at once, EACH on every pipe: the pipes are
                                empty until all are submitted. A read of the first pipe takes 1 byte, of the second 2,
                                and so on. Prints as JSON the names of the pipes, in that order."""
import ctypes
import json
import mmap
import os
import struct
import sys

SETUP, ENTER = 425, 426  # on every architecture
GETEVENTS, READ = 1, 22
CQ_RING, ENTRIES = 0x8000000, 0x10000000
PARAMS = struct.Struct("7I3I" + "8IQ" + "8IQ")  # struct io_uring_params
BATCH = 1024  # also the fewest completions that a ring of so many entries may have room for


class Ring:
    def __init__(self, completions):
        self.call = ctypes.CDLL(None, use_errno=True).syscall
        params = ctypes.create_string_buffer(PARAMS.pack(0, 0, 1 << 3, *[0] * 25), PARAMS.size)  # IORING_SETUP_CQSIZE
        struct.pack_into("I", params, 4, completions)
        self.fd = self.call(SETUP, BATCH, params)
        if self.fd < 0:
            sys.exit(f"io_uring_setup: {os.strerror(ctypes.get_errno())}")
        said = PARAMS.unpack(params.raw)
        sq_entries, self.cq_entries, sq, cq = said[0], said[1], said[10:18], said[19:27]
        self.sq = mmap.mmap(self.fd, sq[6] + 4 * sq_entries, offset=0)
        self.cq = mmap.mmap(self.fd, cq[5] + 16 * self.cq_entries, offset=CQ_RING)
        self.entries = mmap.mmap(self.fd, 64 * sq_entries, offset=ENTRIES)
        self.sq_tail, self.cq_head, self.cq_tail, self.cqes = sq[1], cq[0], cq[1], cq[5]
        for i in range(sq_entries):
            struct.pack_into("I", self.sq, sq[6] + 4 * i, i)
        self.tail = self.head = 0

    def submit(self, reads, address):
        """`reads`: descriptor and bytes of each, no more than BATCH."""
        for fd, length in reads:
            struct.pack_into("BBHiQQIIQ24x", self.entries, 64 * (self.tail % BATCH), READ, 0, 0, fd, 0, address, length, 0,
                             length)
            self.tail += 1
        struct.pack_into("I", self.sq, self.sq_tail, self.tail)
        taken = self.call(ENTER, self.fd, len(reads), 0, 0, None, 0)
        if taken != len(reads):
            sys.exit(f"io_uring_enter took {taken} of {len(reads)}")

    def collect(self, wanted):
        while wanted:
            if self.call(ENTER, self.fd, 0, 1, GETEVENTS, None, 0) < 0:
                sys.exit(f"io_uring_enter: {os.strerror(ctypes.get_errno())}")
            tail = struct.unpack_from("I", self.cq, self.cq_tail)[0]
            while self.head != tail:
                asked, result = struct.unpack_from("Qi", self.cq, self.cqes + 16 * (self.head % self.cq_entries))
                if result != asked:
                    sys.exit(f"a read of {asked} bytes ended with {result}")
                self.head = self.head + 1 & 0xffffffff
                wanted -= 1
            struct.pack_into("I", self.cq, self.cq_head, self.head)


def main(pipes, each, rounds):
    memory = ctypes.create_string_buffer(pipes)
    ends = [os.pipe() for _ in range(pipes)]
    ring = Ring(max(BATCH, 1 << (pipes * each - 1).bit_length()))
    for _ in range(rounds):
        reads = [(ends[i % pipes][0], i % pipes + 1) for i in range(pipes * each)]
        for at in range(0, len(reads), BATCH):
            ring.submit(reads[at:at + BATCH], ctypes.addressof(memory))
        for i, (_, end) in enumerate(ends):
            os.write(end, bytes(each * (i + 1)))
        ring.collect(len(reads))
    sys.stdout.write(json.dumps([os.readlink(f"/proc/self/fd/{end}") for end, _ in ends]) + "\n")  # in one piece


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
