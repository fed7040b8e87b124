"""`smartstream run` on pictures: killed and resumed, spread over processes, beside a broken camera."""

import json
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from smartstream.testing.running import command, lines_of, run, written

SHARED = Path(__file__).parents[3] / "shared"
SCENE = SHARED / "scenes/night"
pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not SCENE.is_dir(), reason="needs the data folder beside the checkout"),
    pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg to cut the clip"),
]
SECONDS = 24


def packets(clip):
    """Frames of a clip by another program's count."""
    probe = [
        "ffprobe",
        "-v",
        "error",
        "-select_streams",
        "v",
        "-count_frames",
        "-show_entries",
        "stream=nb_read_frames",
    ]
    done = subprocess.run([*probe, "-of", "csv=p=0", clip], capture_output=True, text=True, check=True)
    return int(done.stdout.strip().strip(","))


@pytest.fixture(scope="module")
def street(tmp_path_factory):
    """A piece of a rendered scene, its site file as the tool writes it, and the events of an uninterrupted run."""
    folder = tmp_path_factory.mktemp("video")
    clip = ["ffmpeg", "-v", "error", "-i", SCENE / "scene.mp4", "-t", str(SECONDS), "-c", "copy", folder / "scene.mp4"]
    subprocess.run(clip, check=True)
    tool = [sys.executable, SHARED / "tools/site_from_truth.py", SCENE]
    text = subprocess.run(tool, capture_output=True, text=True, check=True).stdout
    site = folder / "site.toml"
    site.write_text(text.replace(str((SCENE / "scene.mp4").resolve()), "scene.mp4"))
    run(site, "--events", folder / "e", "--summary", folder / "s")
    return site, lines_of(folder / "e"), json.loads((folder / "s").read_text())


def test_every_frame_is_accounted_for(street):
    _, found, summary = street
    totals = summary["sides"]["cam-s"]
    assert totals["frames_decoded"] == totals["frames_seen"] == packets(street[0].parent / "scene.mp4")
    assert any("crossing" in line for line in found)
    assert summary["complete"]


@pytest.mark.parametrize("processes", [1, 2])
def test_killed_three_times_and_resumed_where_it_was(street, tmp_path, processes):
    site, expected, summary = street
    more = ("--events", tmp_path / "e", "--summary", tmp_path / "s", "--recovery", tmp_path / "r")
    more = (*more, "--processes", processes)
    for seed in range(3):
        child = subprocess.Popen(command(site, *more, "--speed", "3x"), stderr=subprocess.DEVNULL)
        before = written(tmp_path / "e")
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and written(tmp_path / "e") <= before:
            time.sleep(0.1)
        time.sleep(random.Random(seed).uniform(0.2, 1.2))
        child.kill()
        child.wait()
    run(site, *more)
    assert lines_of(tmp_path / "e") == expected
    after = json.loads((tmp_path / "s").read_text())
    again = {side: totals.pop("frames_redecoded", 0) for side, totals in after["sides"].items()}
    assert after["rules"] == summary["rules"]
    assert after["crossings"] == summary["crossings"]
    assert again["cam-s"] < SECONDS * 25, "a resume decodes what the state does not hold, not everything"


def test_processes_change_nothing(street, tmp_path):
    site, expected, _ = street
    run(site, "--events", tmp_path / "e", "--processes", 2)
    assert lines_of(tmp_path / "e") == expected


def test_a_broken_camera_harms_no_other(street, tmp_path):
    site, expected, _ = street
    text = site.read_text()
    broken = (site.parent / "scene.mp4").read_bytes()
    (site.parent / "broken.mp4").write_bytes(
        broken[: len(broken) // 2] + bytes(40_000) + broken[len(broken) // 2 + 40_000 :]
    )
    camera = text[text.index("[[camera]]") : text.index("[camera.calibration]")]
    second = camera.replace('"cam-s"', '"cam-b"').replace("scene.mp4", "broken.mp4").replace('"j1"', '"j2"')
    copy = site.parent / "two.toml"
    copy.write_text(text + '\n[[junction]]\nid = "j2"\n' + second)
    run(copy, "--events", tmp_path / "e", "--summary", tmp_path / "s")
    assert [line for line in lines_of(tmp_path / "e") if "/cam-b" not in line] == expected
    totals = json.loads((tmp_path / "s").read_text())["sides"]["cam-b"]
    assert totals["frames_decoded"] > 0


@pytest.mark.parametrize(
    ("name", "content"),
    [("missing.mp4", None), ("empty.mp4", b""), ("text.mp4", b"no video at all\n" * 200), ("cut.mp4", "cut")],
)
def test_a_source_that_cannot_be_opened_is_found_before_anything_runs(street, tmp_path, name, content):
    site, _, _ = street
    clip = (site.parent / "scene.mp4").read_bytes()
    if content is not None:
        (tmp_path / name).write_bytes(clip[:3000] if content == "cut" else content)
    copy = tmp_path / "site.toml"
    copy.write_text(site.read_text().replace("file:scene.mp4", f"file:{tmp_path}/{name}"))
    done = subprocess.run(command(copy), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert name in done.stderr
    assert "Traceback" not in done.stderr
