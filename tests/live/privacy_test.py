"""Who may read a recording, and what is left of names when it is to be shown to others."""
import base64
import os
import re
import stat
import subprocess

from lib import IOHOPS, TMP, Recording, Trace, check, equal, iohops

# Parts of names, all of which the traced program uses; none is a word that iohops has itself.
SECRETS = ["Geheimnis", "lohnliste", "vertraulich", "kundendatei", "\u00fcbrig"]


def run_secretly(*arguments):
    """A program, a folder, a file and an argument that nobody may hear of, under iohops record."""
    folder = TMP / "Geheimnis" / "vertraulich-\u00fcbrig"
    folder.mkdir(parents=True, exist_ok=True)
    program, data = folder / "lohnliste", folder / "kundendatei.db"
    if not program.exists():
        program.write_bytes(open("/bin/dd", "rb").read())
        program.chmod(0o755)
    done = iohops("record", *arguments, "--", program, "if=/dev/zero", f"of={data}", "bs=4k", "count=8", "status=none")
    equal(done.returncode, 0, f"exit code ({done.stderr})")
    return data


def content(path):
    if path.suffix == ".zst":
        return subprocess.run(["zstd", "-dc", path], stdout=subprocess.PIPE, check=True).stdout
    return path.read_bytes()


def names_nobody(data, what):
    for secret in SECRETS:
        raw = secret.encode()
        # As it is, as JSON escapes it, and as base64 has it at each of the three positions in a group.
        forms = {raw, secret.encode("unicode_escape")} | {
            base64.b64encode(b"\0" * shift + raw)[4 if shift else 0:].rstrip(b"=")[:-2] for shift in range(3)}
        for form in forms:
            check(len(form) > 3 and form not in data, f"{what}: {form!r} of {secret} is in the output")
    # Nor are the names of this machine, of libraries and of devices' files.
    for name in (os.uname().nodename.encode(), b"/usr/lib", b"libc.so", b"/dev/zero"):
        check(name not in data, f"{what}: {name!r} is in the output")


def writes(trace):
    found = [r for r in trace.ops("write") if r["result"] == 4096]
    equal(len(found), 8, "writes of the program")
    return found


def test_a_redacted_recording_has_no_name_and_every_figure():
    plain, out = TMP / "plain.jsonl", TMP / "shared.jsonl.zst"
    data = run_secretly("-o", plain)
    check(SECRETS[0].encode() in plain.read_bytes(), "the oracle: a recording has names")
    run_secretly("--redact", "-o", out)
    names_nobody(content(out), "recording")
    trace = Trace(out)
    equal(trace.header["redacted"], True, "what the header says")
    paths = {trace.path_of(r) for r in writes(trace)}
    equal(len(paths), 1, "files that were written")
    path = paths.pop()
    check(re.fullmatch("(/[0-9a-f]{16})+", path), f"path: {path}")
    equal(path.count("/"), str(data).count("/"), "depth of the path")
    # The argument is the path behind "of=", so only the folders in between are alike.
    check(any("/".join(path.split("/")[2:-1]) in word for word in trace.header["command_line"]),
          "folders of the command line and of the file are alike")
    named = Trace(plain)
    calls = [sorted((r["op"], r["result"]) for r in t.requests if r["op"] != "page_fault") for t in (trace, named)]
    equal(calls[0], calls[1], "calls and results, with names and without")
    for command in (["report", out], ["report", "--format", "json", out], ["explain", out, "--slowest", "3"], ["report", "--group-by", "process", out]):
        done = subprocess.run([IOHOPS, *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True)
        names_nobody(done.stdout.replace(str(TMP).encode(), b""), command[0])


def test_a_raw_recording_is_redacted_when_it_is_replayed():
    raw = TMP / "trace.raw"
    data = run_secretly("--raw", raw)
    hashes = []
    for name in ("one.json", "two.jsonl"):
        done = iohops("replay", raw, "--redact", "-o", TMP / name)
        equal(done.returncode, 0, f"exit code ({done.stderr})")
        names_nobody((TMP / name).read_bytes(), name)
        trace = Trace(TMP / name)
        hashes.append(trace.path_of(writes(trace)[0]))
    check(hashes[0] != hashes[1], f"two recordings can be joined by {hashes[0]}")
    # The filter judges names as they were.
    done = iohops("replay", raw, "--redact", "--path", data, "-o", TMP / "filtered.jsonl")
    equal(done.returncode, 0, f"exit code ({done.stderr})")
    names_nobody((TMP / "filtered.jsonl").read_bytes(), "filtered.jsonl")
    equal(len(writes(Trace(TMP / "filtered.jsonl"))), 8, "writes that pass the filter")


def test_raw_and_redacted_at_once_is_refused():
    done = iohops("record", "--redact", "--raw", TMP / "trace.raw", "-d", "1ms", "-a")
    equal(done.returncode, 2, "exit code")
    check("replay --redact" in done.stderr, f"what to do instead: {done.stderr}")
    check(not (TMP / "trace.raw").exists(), "a raw recording was begun")


def test_a_recording_is_private_and_keeps_the_one_before():
    out = TMP / "trace.jsonl"
    os.umask(0)
    for _ in range(2):
        equal(iohops("record", "-o", out, "--", "true").returncode, 0, "exit code")
    equal([stat.S_IMODE(os.stat(f).st_mode) for f in (out, TMP / "trace.jsonl.old")], [0o600] * 2, "modes")


def test_what_is_kept_never_takes_the_place_of_somebody_elses():
    out, old = TMP / "trace.jsonl", TMP / "trace.jsonl.old"
    for make in (lambda: (old.write_text("theirs"), os.chown(old, 65534, 65534)), lambda: old.symlink_to("/etc/passwd"), old.mkdir):
        out.write_text("mine")
        make()
        done = iohops("record", "-o", out, "--", "true")
        equal(done.returncode, 6, f"exit code ({done.stderr})")
        check("trace.jsonl.old" in done.stderr, f"what is in the way: {done.stderr}")
        equal(out.read_text(), "mine", "the recording before")
        old.rmdir() if old.is_dir() and not old.is_symlink() else old.unlink()
