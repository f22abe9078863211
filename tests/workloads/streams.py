"""streams.py FILE   reads and writes FILE through the C library's streams; prints the bytes of each call's kind."""
import ctypes
import sys

path = sys.argv[1].encode()
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
for call in (libc.fread, libc.fwrite):
    call.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_void_p]
libc.fclose.argtypes = [ctypes.c_void_p]
buffer = ctypes.create_string_buffer(100000)

stream = libc.fopen(path, b"w")
written = sum(libc.fwrite(buffer, 1, 50, stream) for _ in range(100))  # fits into the buffer, mostly
written += 50 * libc.fwrite(buffer, 50, 1000, stream)  # larger than it
libc.fclose(stream)
stream = libc.fopen(path, b"r")
read = sum(libc.fread(buffer, 1, 64, stream) for _ in range(200))
read += libc.fread(buffer, 1, 100000, stream)
libc.fclose(stream)
print(written, read)
