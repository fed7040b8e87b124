"""The wheel by itself: what a user installs has everything in it, the dataflows too."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the freshly built wheel's files in it and nothing of the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    build = ["maturin", "build", "-q", "--release", "--locked", "--compatibility", "linux", "--out", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, timeout=1200, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", folder / "site", wheel]
    subprocess.run(install, check=True, timeout=300)
    return folder / "site"


def outside(installed: Path, cwd: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """A Python that finds the wheel's files first, started where no checkout is."""
    return subprocess.run(
        [sys.executable, "-P", *map(str, words)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_it_brings_both_packages_and_its_data(installed: Path, tmp_path: Path) -> None:
    look = "import smartstream, pipelines.junction_violations as p; print(smartstream.__file__, p.__file__)"
    done = outside(installed, tmp_path, "-c", look)
    assert done.returncode == 0, done.stderr
    assert all(path.startswith(str(installed)) for path in done.stdout.split())
    assert list((installed / "smartstream/rules/law_packs").glob("*.toml"))
    assert (installed / "smartstream/py.typed").exists()
    assert not (installed / "tests").exists()


def test_every_command_can_be_loaded(installed: Path, tmp_path: Path) -> None:
    listed = outside(installed, tmp_path, "-m", "smartstream", "--help").stdout.split("Commands:\n")[1]
    commands = [line.split()[0] for line in listed.splitlines() if line.startswith("  ")]
    assert {"run", "check", "demo"} <= set(commands)
    for command in commands:
        done = outside(installed, tmp_path, "-m", "smartstream", command, "--help")
        assert done.returncode == 0, f"{command}: {done.stderr}"


def test_it_runs_a_site(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "signals.ndjson").write_text('{"time": 1790000000, "signal": "S", "state": "green"}\n')
    box = '"run": 0, "track": 1, "class": "car", "score": 0.9, "box"'
    lines = [
        f'{{"time": {1_790_000_000 + i / 10}, {box}: [0.4, {0.1 + i / 100}, 0.5, {0.2 + i / 100}]}}' for i in range(60)
    ]
    (tmp_path / "tracks.ndjson").write_text("\n".join(lines) + "\n")
    (tmp_path / "site.toml").write_text(
        """
        [site]
        id = "w"
        province = "19"
        [[junction]]
        id = "j"
        [[junction.signal]]
        id = "S"
        [[signal_feed]]
        junction = "j"
        url = "file:signals.ndjson"
        [[camera]]
        id = "c"
        junction = "j"
        url = "tracks:tracks.ndjson"
        [[camera.line]]
        id = "middle"
        kind = "count"
        points = [[0.0, 0.5], [1.0, 0.5]]
        """
    )
    run = ["-m", "smartstream", "run", "site.toml", "--no-nats", "--events", "events.ndjson"]
    done = outside(installed, tmp_path, *run)
    assert done.returncode == 0, done.stderr
    assert '"vn.ioc.traffic.crossing.observed.v1"' in (tmp_path / "events.ndjson").read_text()
