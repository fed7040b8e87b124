"""Benchmarks of decoding and vision: what is measured and how the clips are made."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from smartstream.bench.clip import RECIPES, Recipe, given_clip
from smartstream.bench.cpu import Program, contest
from smartstream.bench.vision_worker import CONTESTANTS
from smartstream.cli.bench import bench
from smartstream.errors import InvalidInputError

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not on the PATH")


@pytest.fixture
def clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = tmp_path / "clip.mp4"
    source = "testsrc2=size=320x240:rate=25:duration=14"
    subprocess.run(
        ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", source, "-c:v", "libx264", "-g", "25", "-bf", "0", str(path)],
        check=True,
    )
    return path


def test_a_recipe_asks_for_its_bit_rate_and_no_b_frames() -> None:
    command = RECIPES["h264"].command(Path("in.mp4"), Path("out.mp4"), 300)
    assert command[command.index("-b:v") + 1] == command[command.index("-minrate") + 1] == "4M"
    assert command[command.index("-bf") + 1] == "0"
    assert command[command.index("-g") + 1] == "50"


@needs_ffmpeg
def test_what_is_costly_to_code_is_coded_once_and_repeated(clip: Path, tmp_path: Path) -> None:
    codec = ("-c:v", "libx264", "-bf", "0")
    recipe = Recipe(size=(160, 120), mbit_s=0, noise=4, codec=codec, coded_s=2)
    for seconds in (1, 7):
        target = tmp_path / f"{seconds}.unfinished"
        recipe.make(clip, target, seconds)
        assert CONTESTANTS["decode"](str(target)) == given_clip(target).frames == 25 * seconds
    assert not list(tmp_path.glob("*.once"))


@needs_ffmpeg
def test_startup_is_taken_off_and_ratios_are_to_the_first(clip: Path) -> None:
    found = given_clip(clip)
    assert (found.frames, found.short_frames) == (350, 250)
    burn = "import sys,time; n=sys.argv[3].endswith('clip.mp4'); a, b = map(float, sys.argv[1:3])\n"
    burn += "while time.process_time() < a + b * n: pass"
    programs = [
        Program(name="slow", command=(sys.executable, "-c", burn, "0.3", "0.4", "{clip}")),
        Program(name="fast", command=(sys.executable, "-c", burn, "0.1", "0.2", "{clip}")),
    ]
    slow, fast = contest(programs, found, rounds=1)
    assert slow.ratio == 1
    # A process burns at least what it is told: 100 frames in 0.4 and 0.2 CPU-seconds.
    assert fast.ratio == pytest.approx(2, rel=0.2)
    assert slow.fps == pytest.approx(250, rel=0.2)


@needs_ffmpeg
def test_a_program_that_fails_is_told(clip: Path) -> None:
    program = Program(name="broken", command=(sys.executable, "-c", "raise SystemExit('no such codec')", "{clip}"))
    with pytest.raises(InvalidInputError, match=r"broken: failed on .*no such codec"):
        contest([program], given_clip(clip), rounds=1)


@needs_ffmpeg
@pytest.mark.parametrize("name", ["smartstream", "decode"])
def test_our_contestants_see_every_frame(clip: Path, name: str) -> None:
    assert CONTESTANTS[name](str(clip)) == 350


@needs_ffmpeg
@pytest.mark.parametrize("name", ["decode", "vision"])
def test_a_benchmark_prints_both_sides_and_writes_json(clip: Path, tmp_path: Path, name: str) -> None:
    out = tmp_path / "out.json"
    done = CliRunner().invoke(
        bench, [name, "--clip", str(clip), "--rounds", "1", "--json", str(out)], catch_exceptions=False
    )
    assert "ffmpeg -threads 1 -f null" in done.output
    assert "smartstream" in done.output
    assert '"frames": 350' in out.read_text()


def test_what_is_no_clip_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    text = tmp_path / "text.mp4"
    text.write_text("no video")
    if shutil.which("ffprobe"):
        with pytest.raises(InvalidInputError, match="ffprobe"):
            given_clip(text)
