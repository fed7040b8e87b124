"""`smartstream run` as a user starts it: a process of its own, judged by what it leaves."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

_TIMEOUT_S: Final = 240  # a run of a test hangs after this, on the slowest machine


def command(site: Path, *more: object, nats: bool = False) -> list[str]:
    """Words of a run of ``site`` with the options ``more``; to the file alone unless ``nats``."""
    options = more if nats else ("--no-nats", *more)
    return [sys.executable, "-m", "smartstream", "run", str(site), *map(str, options)]


def run(site: Path, *more: object, nats: bool = False) -> subprocess.CompletedProcess[str]:
    """Run to the end; an assertion fails with what was said when it is refused or shows a traceback."""
    words = command(site, *more, nats=nats)
    done = subprocess.run(words, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done


def lines_of(path: Path) -> list[str]:
    """Its lines as a set is compared: sorted, each as often as it stands there."""
    return sorted(path.read_text().splitlines())


def written(path: Path) -> int:
    """Lines so far of a file that a run is writing."""
    return path.read_bytes().count(b"\n") if path.exists() else 0


def wait_until(
    done: Callable[[], object], *, process: subprocess.Popen[bytes] | None = None, limit_s: float = 120
) -> None:
    """Ask until it is so; an assertion fails after ``limit_s`` seconds, or when ``process`` has ended."""
    deadline = time.monotonic() + limit_s
    while not done():
        assert time.monotonic() < deadline, "no progress"
        assert process is None or process.poll() is None, "the run ended"
        time.sleep(0.02)
