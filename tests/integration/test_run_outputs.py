"""What a run writes is its own: not another run's, not what it reads, and what cannot be replaced stays what it is."""

import os
import signal
import stat
import subprocess
import sys

import pytest

from smartstream.testing.running import command, lines_of, run, written
from smartstream.testing.street import write_street

pytest.importorskip("cryptography", reason="needs the extra evidence")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    site = write_street(tmp_path_factory.mktemp("street"), seconds=30, seed=5)
    site.write_text(site.read_text() + '\n[evidence]\ndir = "ev"\n')
    return site


def refused(words):
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr.strip().splitlines()[-1]


def test_two_runs_do_not_write_the_same(site, tmp_path):
    expected = lines_of_run(site, tmp_path / "alone")
    mine = ("--events", tmp_path / "e", "--recovery", tmp_path / "r")
    first = subprocess.Popen(command(site, *mine, "--speed", "1x"), stderr=subprocess.DEVNULL)
    while not written(tmp_path / "e"):
        assert first.poll() is None
    assert "recovery folder" in refused(command(site, *mine))
    assert "events file" in refused(command(site, "--events", tmp_path / "e"))
    words = [sys.executable, "-m", "smartstream", "verify", site.parent / "ev"]
    assert b"a run writes here" in subprocess.run(words, capture_output=True, timeout=60, check=False).stderr
    assert "evidence.dir" in refused(command(site, "--events", tmp_path / "other"))
    first.send_signal(signal.SIGKILL)
    first.wait()
    run(site, *mine)  # what a killed run held is free
    assert lines_of(tmp_path / "e") == expected


def lines_of_run(site, path):
    run(site, "--events", path)
    return lines_of(path)


def test_what_a_run_reads_is_not_written(site, tmp_path):
    folder = site.parent
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    (tmp_path / "link").symlink_to(folder / "signals.ndjson")
    for words in (
        ("--events", site),
        ("--events", folder / "tracks.ndjson"),
        ("--events", tmp_path / "link"),
        ("--summary", folder / "signals.ndjson"),
        ("--events", tmp_path / "x", "--summary", tmp_path / "." / "x"),
    ):
        assert "expected a file of its own" in refused(command(site, *words))
    assert before == {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_a_summary_replaces_no_device_and_no_link(site, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "real").touch()
    (tmp_path / "link").symlink_to("real")
    reader = subprocess.Popen(["cat", tmp_path / "pipe"], stdout=subprocess.PIPE)
    run(site, "--summary", tmp_path / "pipe")
    assert reader.communicate(timeout=60)[0].count(b'"complete": true') == 1
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    run(site, "--summary", tmp_path / "link")
    assert '"complete": true' in (tmp_path / "real").read_text()
    assert (tmp_path / "link").is_symlink()
    assert run(site, "--summary", "/dev/stdout").stdout.count('"complete": true') == 1


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_standard_output_that_is_full_is_told_in_one_line():
    with open("/dev/full", "wb") as full:
        done = subprocess.run([sys.executable, "-m", "smartstream", "schema"], stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 1
    assert done.stderr == b"smartstream: No space left on device\n"


def test_closed_streams_and_a_terminal_without_letters_stop_nothing(site, tmp_path):
    words = " ".join(command(site, "--events", tmp_path / "e"))
    assert subprocess.run(["sh", "-c", f"exec {words} <&- >&- 2>&-"], timeout=60).returncode == 0
    poor = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PATH": os.environ["PATH"]}
    done = subprocess.run(command(site, "--events", tmp_path / "f"), env=poor, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert lines_of(tmp_path / "e") == lines_of(tmp_path / "f") != []
    done = subprocess.run([sys.executable, "-m", "smartstream", "law", "show"], env=poor, capture_output=True)
    assert done.returncode == 0, done.stderr
