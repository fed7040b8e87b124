"""On a terminal: how far a run is stands in one row, and takes nothing away that was written before."""

import os
import pty
import re
import subprocess

import pytest

from smartstream.testing.running import command
from smartstream.testing.street import write_street

COLUMNS = 140


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    site = write_street(tmp_path_factory.mktemp("street"), seconds=30, seed=5)
    signals = site.with_name("signals.ndjson")
    signals.write_text("".join(f"garbage {i}\n" for i in range(5)) + signals.read_text())
    return site


def rows(said):
    """What stands on the terminal in the end; it knows no way up, for none may be gone."""
    assert not re.search(r"\x1b\[\d*[ABHJ]", said), "moves to other rows, or clears them"
    out, row, column = [], [], 0
    for part in re.findall(r"\x1b\[2K|\x1b\[[\d;?]*[a-zA-Z]|.|\n", said, re.DOTALL):
        if part == "\x1b[2K":
            row = []
        elif part == "\r":
            column = 0
        elif part == "\n":
            out.append("".join(row).rstrip())
            row, column = [], 0
        elif len(part) == 1:
            row += [" "] * (column + 1 - len(row))
            row[column] = part
            column += 1
    return [*out, "".join(row).rstrip()]


@pytest.mark.parametrize("more", [(), ("--processes", 2)])
def test_what_a_run_says_stands(site, more):
    ours, theirs = pty.openpty()
    subprocess.run(["stty", "cols", str(COLUMNS), "rows", "50"], stdin=theirs, check=True)
    words = command(site, "--speed", "20x", *more)
    env = os.environ | {"TERM": "xterm", "COLUMNS": str(COLUMNS)}
    run = subprocess.Popen(words, stdin=theirs, stdout=subprocess.DEVNULL, stderr=theirs, env=env)
    os.close(theirs)
    said = b""
    try:
        while part := os.read(ours, 65536):
            said += part
    except OSError:  # the last one has closed it
        pass
    assert run.wait(timeout=60) == 0
    shown = rows(said.decode())
    told = said.count(b"dead letter")  # one for all of a kind
    assert sum("dead letter" in row for row in shown) == told > 0
    for name in ("Rules", "Crossings", "Sources"):
        assert shown.count(name) == 1
    assert sum("signals/j1/0" in row for row in shown if row.startswith("│")) == 2
    assert b"sources run" in said, "it was drawn"
    assert not any("sources run" in row for row in shown), "and is gone"
