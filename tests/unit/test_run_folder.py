"""The private folder of a run goes with the run, or with the next one."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from pipelines.run_folder import run_folder

RUN = """
import sys
from pipelines.run_folder import run_folder
with run_folder() as folder:
    (folder / "plan.json").write_text("{}")
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Starts a process with a folder of its own below ``tmp_path``; all of them are ended afterwards."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    started = []

    def run() -> tuple[subprocess.Popen[str], Path]:
        process = subprocess.Popen(
            [sys.executable, "-c", RUN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        assert process.stdout is not None
        return process, Path(process.stdout.readline().strip())

    yield run
    for process in started:
        process.kill()
        process.communicate()


def test_a_run_takes_its_folder_along(start, tmp_path):
    process, folder = start()
    assert folder.parent == tmp_path
    assert (folder / "plan.json").exists()
    assert folder.stat().st_mode & 0o077 == 0
    process.communicate()
    assert not folder.exists()


def test_what_a_killed_run_left_goes_with_the_next_one(start, tmp_path):
    killed, left = start()
    _, in_use = start()
    others = tmp_path / "smartstream-demo-1"
    others.mkdir()
    killed.kill()
    killed.communicate()
    assert left.exists()
    with run_folder() as own:
        assert not left.exists()
        assert {own, in_use, others} == set(tmp_path.iterdir())
    assert {in_use, others} == set(tmp_path.iterdir())


def test_runs_that_start_together_leave_each_other_alone(start):
    code = "from pipelines.run_folder import run_folder as r\nfor _ in range(200):\n  with r() as f: (f / 'x').touch()"
    together = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(4)]
    assert [process.wait(timeout=60) for process in together] == [0] * 4
