"""The manual page: clean, and with every option that --help has."""
import re
import subprocess

from lib import IOHOPS, check, equal, need

PAGE = "man/iohops.1"


def help_of(*words):
    return subprocess.run([IOHOPS, *words, "--help"], stdout=subprocess.PIPE, text=True, check=True).stdout


def sections():
    """The page as plain text, by heading ("record", "Filters", "EXIT STATUS")."""
    page = subprocess.run(["mandoc", "-T", "ascii", PAGE], stdout=subprocess.PIPE, text=True, check=True).stdout
    page = re.sub(".\b", "", page)
    parts = re.split(r"^ {0,3}(\S.*)$", page, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2]))


def test_the_page_is_clean():
    need("mandoc")
    done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", PAGE], stdout=subprocess.PIPE, text=True)
    equal((done.returncode, done.stdout), (0, ""), "what mandoc finds")


def test_every_option_is_described_where_its_subcommand_is():
    need("mandoc")
    page = sections()
    shared = page["Targets"] + page["Filters"] + page["Options of every subcommand"]
    commands = re.findall(r"^  ([a-z]+)  ", help_of().split("Subcommands:")[1].split("Examples:")[0], flags=re.M)
    check(len(commands) >= 10, f"subcommands: {commands}")
    for command in commands:
        check(command in page, f"iohops {command} has no section")
        named = set(re.findall(r"^ +(?:-\w, ?)?(--[a-z-]+|-\w)\b", page[command] + shared, flags=re.M))
        for short, option in re.findall(r"^  (?:(-\w),)?(--[a-z-]+)", help_of(command), flags=re.M):
            check(option in named, f"iohops {command} {option} is not in {PAGE}")
            check(not short or f"{short}, {option}" in page[command] + shared, f"{short} of {command} {option}")


def test_the_page_has_no_option_that_does_not_exist():
    need("mandoc")
    page = sections()
    known = set(re.findall(r"^  (?:-\w,)?(--[a-z-]+)", help_of(), flags=re.M))
    commands = re.findall(r"^  ([a-z]+)  ", help_of().split("Subcommands:")[1].split("Examples:")[0], flags=re.M)
    for command in commands:
        of_it = set(re.findall(r"^  (?:-\w,)?(--[a-z-]+)", help_of(command), flags=re.M))
        known |= of_it
        for option in re.findall(r"^ +(?:-\w, )?(--[a-z-]+)\b", page[command], flags=re.M):
            check(option in of_it, f"{PAGE} describes {command} {option}, which does not exist")
    shared = page["Targets"] + page["Filters"] + page["Options of every subcommand"]
    for option in re.findall(r"^ +(?:-\w, )?(--[a-z-]+)\b", shared, flags=re.M):
        check(option in known, f"{PAGE} describes {option}, which does not exist")
