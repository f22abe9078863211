"""The Debian package: what is in it, what it wants, and that it runs where nothing else is."""
import os
import pathlib
import subprocess

from lib import IOHOPS, TMP, check, equal, need, sized


def run(*command, **options):
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          **options)
    equal(done.returncode, 0, f"exit code of {command}: {done.stdout[-2000:]}")
    return done.stdout


def package():
    need("dpkg-deb", "dpkg-shlibdeps", "make", "objdump")
    run("make", "--no-print-directory", "deb")
    found = list(pathlib.Path(os.environ.get("IOHOPS_BUILD", "build")).glob("iohops_*.deb"))
    equal(len(found), 1, "packages in the build tree")
    return found[0]


def has_all_that_is_installed(deb):
    files = {line.split()[5].removeprefix("."): line.split()[:2] for line in run("dpkg-deb", "--contents", deb).splitlines()}
    for name in ("/usr/bin/iohops", "/usr/share/man/man1/iohops.1.gz", "/usr/share/doc/iohops/SECURITY.md",
                 "/usr/share/bash-completion/completions/iohops", "/usr/share/zsh/site-functions/_iohops",
                 "/usr/share/fish/vendor_completions.d/iohops.fish"):
        check(name in files, f"{name} is not in the package")
    equal({owner for _, owner in files.values()}, {"root/root"}, "owners")
    equal({mode for mode, _ in files.values()}, {"drwxr-xr-x", "-rwxr-xr-x", "-rw-r--r--"}, "modes")


def names_its_libraries(deb, program):
    wanted = {word.split()[0] for word in run("dpkg-deb", "--field", deb, "Depends").split(", ")}
    for line in run("objdump", "-p", program).splitlines():
        if line.split()[:1] != ["NEEDED"]:
            continue
        library = line.split()[1]
        if library.startswith("ld-linux"):
            continue
        owners = {owned.split(":")[0] for owned in run("dpkg", "-S", library).splitlines()}
        check(owners & wanted, f"{library} is of {owners}, of which none is in Depends: {wanted}")


def runs_in_a_clean_root(deb):
    """Only what the package itself asks for is there besides dpkg and apt; no compiler, no source."""
    need("mmdebstrap")
    root = TMP / "root"
    run("mmdebstrap", "--variant=apt", f"--customize-hook=copy-in {deb} /root",
        f"--customize-hook=chroot \"$1\" apt-get install -y --no-install-recommends /root/{deb.name}",
        os.environ.get("DEBIAN_SUITE", "bookworm"), root, env=os.environ | {"TMPDIR": str(TMP)})
    inside = ["unshare", "-m", "chroot", root]
    equal(run(*inside, "iohops", "--version"), run(IOHOPS, "--version"), "version")
    for name in ("proc", "sys"):
        run("mount", "--rbind", f"/{name}", root / name)
    try:
        done = [subprocess.run([*where, "iohops" if where else IOHOPS, "doctor"], stdout=subprocess.PIPE).returncode
                for where in (inside, [])]
        equal(done[0], done[1], "what doctor says there and here")
        if done[0] == 0:
            out = run(*inside, "iohops", "record", "-q", "-o", "-", "--", "cat", "/usr/bin/iohops",
                      stdin=subprocess.DEVNULL, errors="replace")
            check('/usr/bin/iohops"' in out, "the file that cat read is not in the recording")
    finally:
        for name in ("sys", "proc"):
            run("umount", "-l", root / name)


def test_the_package_installs_and_runs():
    deb, unpacked = package().resolve(), TMP / "unpacked"
    has_all_that_is_installed(deb)
    run("dpkg-deb", "--extract", deb, unpacked)
    names_its_libraries(deb, unpacked / "usr/bin/iohops")
    equal(run(unpacked / "usr/bin/iohops", "--version"), run(IOHOPS, "--version"), "version")
    if sized(0, 1):  # a minute or more
        runs_in_a_clean_root(deb)
