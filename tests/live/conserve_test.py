"""Conservation: on a device that nobody else uses, the transfers of a trace are what the kernel counted, byte for byte,
and nearly all of it belongs to somebody; on each file system, whatever writes."""
import os
import subprocess

from lib import (PATIENCE, TMP, Recording, check, disk_bytes, equal, file_system, loop_device, need)

WORK = """
set -e
cp --sparse=always ../source copied
sync copied
python3 - <<'END'
import os
fd = os.open("rewritten", os.O_RDWR | os.O_CREAT)
for i in range(10):
    os.pwrite(fd, b"r" * (1 << 20), 0)
os.fsync(fd)
fd = os.open("shared", os.O_RDWR | os.O_CREAT)
if os.fork() == 0:
    os.pwrite(fd, b"c" * (1 << 20), 1 << 20)
    os._exit(0)
os.wait()
os.pwrite(fd, b"p" * (1 << 20), 0)
os.fsync(fd)
END
for mode in wal delete; do
    sqlite3 $mode.db "pragma journal_mode=$mode; create table t(a integer primary key, b blob);
        insert into t(b) values(randomblob(500000)); update t set b = randomblob(600000); pragma wal_checkpoint;"
done >/dev/null
sync -f .
cat copied >/dev/null
"""


def recording_of_all_on(device, *filters):
    """A recording, and what the device had done by then: nothing of it while the recording began (journals are
    written every few seconds)."""
    for _ in range(5):
        before = disk_bytes(device)
        recording = Recording("-a", *filters)
        if disk_bytes(device) == before:
            return recording, before
        recording.stop()
    raise AssertionError(f"{device} never rests")


def conserved(kind):
    need("losetup", f"mkfs.{kind}", "sqlite3")
    (TMP / "source").write_bytes(os.urandom(8 << 20))
    with loop_device(320 << 20) as device, file_system(kind, device) as folder:
        subprocess.run(["sync", "-f", folder], check=True)
        # A file on btrfs names no device that a filter could know it by.
        recording, before = recording_of_all_on(device.name, *([] if kind == "btrfs" else ["--dev", device.name]))
        subprocess.run(["sh", "-c", WORK], cwd=folder, check=True, timeout=PATIENCE)
        trace = recording.trace()
        after = disk_bytes(device.name)
    equal(trace.lost, 0, "lost")
    ids = {d["id"] for d in trace.header["devices"] if d["name"] == device.name}
    moved = [t for t in trace.transfers if t["device"] in ids]
    sums = [sum(t["bytes"] for t in moved if t["op"] == op) for op in ("read", "write")]
    equal(sums, [after[0] - before[0], after[1] - before[1]], "bytes [read, written], against /sys/block")
    lost = {}
    for t in moved:
        lost[t["op"], t["cause"]] = lost.get((t["op"], t["cause"]), 0) + t["unattributed_bytes"]
    share = sum(lost.values()) / sum(sums)
    print(f"{kind}: {sums[0]} read, {sums[1]} written, {share:.2%} unattributed: {lost}")
    check(share < 0.02, f"{share:.2%} of {sum(sums)} bytes belong to nobody: {lost}")


def test_ext4_on_a_quiet_device():
    conserved("ext4")


def test_xfs_on_a_quiet_device():
    conserved("xfs")


def test_btrfs_on_a_quiet_device():
    conserved("btrfs")
