"""`smartstream run` that cannot go on: one clear message, whatever the number of processes."""

import os
import re
import resource
import signal
import subprocess
from pathlib import Path

import pytest

from smartstream.testing.running import command, lines_of, written
from smartstream.testing.street import write_street


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    return write_street(tmp_path_factory.mktemp("street"), seconds=30, seed=5)


def messages(said):
    """What is not a line of the log, nor timely's word on a process that is still starting."""
    return [line for line in said.splitlines() if not line.startswith('{"component"') and "; retrying" not in line]


def only_message(said):
    """The one message there must be."""
    told = messages(said)
    assert len(told) == 1, said
    return told[0]


@pytest.mark.parametrize("more", [(), ("--workers", 2), ("--processes", 2)])
def test_a_full_disk(site, more):
    done = subprocess.run(
        command(site, "--events", "/dev/full", *more), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    message = only_message(done.stderr)
    assert message.startswith("smartstream: events file /dev/full: cannot be written: No space left on device")
    if "--processes" in more:
        assert re.search(r"\(process \d: .*exit code 1", message), message


@pytest.mark.parametrize("more", [(), ("--processes", 2)])
def test_a_record_that_grows_too_large(site, more, tmp_path):
    """It used to abort without a word: the file was closed, and failed again, while the error was on its way."""
    done = small_files(100_000, command(site, "--record", tmp_path / "r", *more))
    assert done.returncode == 1
    message = only_message(done.stderr)
    assert re.match(r"smartstream: .*/r/\S+\.ndjson: cannot be written: File too large", message)


@pytest.mark.parametrize("size", [1000, 36_000])
def test_a_recovery_folder_that_cannot_grow(site, size, tmp_path):
    words = command(site, "--events", tmp_path / "e", "--recovery", tmp_path / "r")
    done = small_files(size, words)
    assert done.returncode == 1
    message = only_message(done.stderr)
    assert message.startswith("smartstream: recovery folder: cannot be written: ")
    assert subprocess.run(words, capture_output=True, timeout=60, check=False).returncode == 0
    subprocess.run(command(site, "--events", tmp_path / "whole"), capture_output=True, timeout=60, check=True)
    assert lines_of(tmp_path / "e") == lines_of(tmp_path / "whole")


def small_files(size, words):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False, preexec_fn=limit)


def test_a_process_that_is_killed(site, tmp_path):
    run = subprocess.Popen(
        command(site, "--events", tmp_path / "e", "--speed", "4x", "--processes", 2),
        stderr=subprocess.PIPE,
        text=True,
    )
    while not written(tmp_path / "e"):
        assert run.poll() is None
    children = Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()
    workers = [int(c) for c in children if b"pipelines.worker" in Path(f"/proc/{c}/cmdline").read_bytes()]
    assert len(workers) == 2
    os.kill(workers[1], signal.SIGKILL)
    _, said = run.communicate(timeout=60)
    assert run.returncode == 1
    (message,) = messages(said)
    assert message.startswith("smartstream: the run has ended early (process 0: ")
    assert message.endswith("process 1: killed by SIGKILL)")


TELLING = """
import os, signal, sys
def tell(kill=os.kill, parent=os.getppid(), own=os.getpid(), number=signal.SIGTERM):
    kill(parent, number)
    kill(own, number)
class Last:
    __del__ = lambda self, tell=tell: tell()
if "pipelines.worker" in sys.orig_argv:
    {when}
"""


@pytest.mark.parametrize("when", ["tell()", "sys.last = Last()"], ids=["loading", "leaving"])
def test_told_to_stop_while_its_processes_load_or_leave(site, tmp_path, when):
    """They died of the signal, and the run called itself a failure."""
    (tmp_path / "sitecustomize.py").write_text(TELLING.format(when=when))
    done = subprocess.run(
        command(site, "--events", tmp_path / "e", "--processes", 2),
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "smartstream:" not in done.stderr
