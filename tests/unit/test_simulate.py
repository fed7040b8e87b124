"""Scenes: the same seed gives the same scene; what the truth says is true in metres."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sumo", reason="needs the extra: pip install 'smartstream[simulate]'")
pytest.importorskip("av", reason="needs the extra: pip install 'smartstream[simulate]'")

from smartstream.cli import main
from smartstream.errors import InvalidInputError
from smartstream.simulate import traffic
from smartstream.simulate.camera import MOUNTS, Camera
from smartstream.simulate.layout import HALF_WIDTH_M, STOP_M
from smartstream.simulate.phases import SignalPlan
from smartstream.simulate.scene import SceneOptions, make_scene
from smartstream.simulate.video import encode

SECONDS = 70.0


def make(out: Path, **options: Any) -> Path:
    make_scene(SceneOptions(**options), out, lambda _stage, _part: None)
    return out


def digests(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("scene") / "s", seed=21, seconds=SECONDS, video=False)


def rows(folder: Path) -> list[dict[str, Any]]:
    with gzip.open(folder / "tracks.ndjson.gz", "rt") as lines:
        return [json.loads(line) for line in lines]


def test_same_seed_same_files_and_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames are compared before encoding: x264 promises the same picture, not the same bytes."""

    def keep(path: Path, frames: Iterable[Any], **_options: Any) -> None:
        path.write_bytes(b"".join(hashlib.sha256(frame.tobytes()).digest() for frame in frames))

    monkeypatch.setattr("smartstream.simulate.video.encode", keep)
    options = {"seed": 5, "seconds": 5.0, "size": (320, 180), "fps": 10.0, "shake_px": 1.0, "jumps": 60.0}
    first = digests(make(tmp_path / "a" / "s", **options))
    assert first == digests(make(tmp_path / "b" / "s", **options))
    assert first.keys() == {"scene.mp4", "signals.ndjson", "site.toml", "tracks.ndjson.gz", "truth.json"}
    other = digests(make(tmp_path / "c" / "s", **options | {"seed": 6}))
    assert all(first[name] != other[name] for name in ("scene.mp4", "tracks.ndjson.gz", "truth.json"))


@pytest.mark.parametrize("codec", ["h264", "h265", "mjpeg", "mpeg4"])
def test_every_codec_keeps_every_frame(tmp_path: Path, codec: str) -> None:
    import av

    grey = [np.full((96, 128, 3), 20 + 4 * k, np.uint8) for k in range(40)]
    encode(tmp_path / "scene.mp4", grey, fps=10, size=(128, 96), codec=codec, bitrate_kbps=None)
    with av.open(str(tmp_path / "scene.mp4")) as container:
        frames = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
    assert len(frames) == len(grey)
    means = np.array([frame.mean() for frame in frames])
    assert (np.diff(means) > 0).all()


def test_night_is_dark_with_lights(tmp_path: Path) -> None:
    import av

    out = make(tmp_path / "s", seed=3, seconds=5.0, size=(320, 180), fps=4.0, scene="night")
    with av.open(str(out / "scene.mp4")) as container:
        frames = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
    assert len(frames) == 20
    assert np.median(frames[0]) < 60
    assert frames[0].max() > 150
    assert np.abs(frames[0].astype(int) - frames[-1]).mean() > 0.5


def test_counts_are_crossings_of_the_tracks(scene: Path) -> None:
    """Each counted crossing is a track whose reference point passes the line there and then."""
    truth = json.loads((scene / "truth.json").read_text())
    (x0, y0), (x1, y1) = truth["lines"]["S-stop"]["points"]
    paths: dict[int, list[tuple[float, float, float]]] = {}
    for row in rows(scene):
        left, _, right, bottom = row["box"]
        paths.setdefault(row["track"], []).append((row["time"], (left + right) / 2, bottom))
    crossed = []
    for path in paths.values():
        t, x, y = np.array(path).T
        below = y - (y0 + (x - x0) / (x1 - x0) * (y1 - y0))
        within = (np.minimum(x0, x1) - 0.01 <= x) & (x <= np.maximum(x0, x1) + 0.01)
        hit = np.flatnonzero((below[:-1] < 0) & (below[1:] >= 0) & within[1:])
        crossed += [float(t[i + 1]) for i in hit]
    counted = [c["t"] for c in truth["counts"]]
    assert len(counted) > 15
    assert all(min(abs(t - c) for t in crossed) < 0.8 for c in counted)
    assert abs(len(crossed) - len(counted)) <= 3  # riders over the line who back off are no count


def test_red_light_is_run_on_red(scene: Path) -> None:
    truth = json.loads((scene / "truth.json").read_text())
    signals = [json.loads(line) for line in (scene / "signals.ndjson").read_text().splitlines()]
    group = {"S0": "S-through", "S1": "S-through", "S2": "S-left"}
    for violation in truth["violations"]:
        if violation["kind"] not in ("red_light", "yellow_light", "stop_line"):
            continue
        before = [s for s in signals if s["signal"] == group[violation["lane"]] and s["time"] <= violation["t"]]
        assert before[-1]["state"] == ("amber" if violation["kind"] == "yellow_light" else "red")


def test_many_kinds_offend_and_nobody_without_offences(scene: Path, tmp_path: Path) -> None:
    kinds = {v["kind"] for v in json.loads((scene / "truth.json").read_text())["violations"]}
    assert {"red_light", "wrong_way", "sidewalk"} <= kinds
    assert len(kinds) >= 7
    lawful = make(tmp_path / "s", seed=22, seconds=SECONDS, offences=0.0, video=False)
    assert json.loads((lawful / "truth.json").read_text())["violations"] == []


def test_tracks_are_in_order_and_in_the_picture(scene: Path) -> None:
    seen = rows(scene)
    assert [r["time"] for r in seen] == sorted(r["time"] for r in seen)
    for row in seen:
        x1, y1, x2, y2 = row["box"]
        assert x1 < x2
        assert y1 < y2
        assert min(x2, 1) > max(x1, 0) - 1e-3
        assert min(y2, 1) > max(y1, 0) - 1e-3


@pytest.mark.parametrize("mount", list(MOUNTS))
def test_every_camera_sees_the_stop_line_and_back_to_the_ground(mount: str) -> None:
    camera = Camera(MOUNTS[mount], (1280, 720))
    line = np.array([[0.2, -STOP_M], [HALF_WIDTH_M, -STOP_M], [3.0, -40.0]])
    seen = camera.normalised(line)
    assert ((seen > 0) & (seen < 1)).all()
    np.testing.assert_allclose(camera.ground(seen), line, atol=1e-6)


def test_plan_shows_one_green_at_a_time() -> None:
    plan = SignalPlan((15.0, 9.0, 12.0, 6.0), 8.0)
    for t in np.arange(0, 2 * plan.cycle_s, 0.25):
        lit = [g for g in ("NS-through", "NS-left", "EW-through", "EW-left") if plan.phase(g, t)[0] != "red"]
        assert len(lit) <= 1
    changes = plan.changes("NS-through", 0.0, 3 * plan.cycle_s)
    assert [t for t, s in changes if s == "green"] == [8.0, 8.0 + plan.cycle_s, 8.0 + 2 * plan.cycle_s]


def test_without_the_extra_one_message_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sumo", None)
    with pytest.raises(InvalidInputError, match=r"pip install 'smartstream\[simulate\]'"):
        make(tmp_path / "s", seed=1)


@pytest.mark.parametrize("scenario", ["junction", "city"])
def test_without_the_extra_the_command_says_one_plain_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], scenario: str
) -> None:
    monkeypatch.setitem(sys.modules, "sumo", None)
    monkeypatch.setattr(
        sys, "argv", ["smartstream", "simulate", str(tmp_path / "s"), "--scenario", scenario, "--seed", "1"]
    )
    with pytest.raises(SystemExit) as left:
        main()
    said = capsys.readouterr()
    assert (left.value.code, said.out) == (2, "")
    assert said.err == "smartstream: `smartstream simulate` needs its extra: pip install 'smartstream[simulate]'\n"
    assert not (tmp_path / "s").exists()


def test_a_file_that_cannot_be_written_is_named_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "truth.json").mkdir()
    command = ["smartstream", "simulate", str(tmp_path), "--seed", "1", "--cases", "red_light", "--no-video"]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit) as left:
        main()
    said = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("simulate: ")]
    assert left.value.code
    assert said == [f"smartstream: {tmp_path / 'truth.json'}: cannot be written: Is a directory"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidInputError, match="file"):
        make(tmp_path / "file" / "s", seed=1)


def test_of_a_scene_made_before_nothing_is_left(tmp_path: Path) -> None:
    out = tmp_path / "s"
    make_scene(SceneOptions(seed=1, cases=("red_light",), video=False), out, lambda *_: None)
    (out / "scene.mp4").write_bytes(b"of another scene")
    (out / "note.txt").write_text("mine")
    make_scene(SceneOptions(seed=2, seconds=5, video=False), out, lambda *_: None)
    names = {"site.toml", "truth.json", "signals.ndjson", "tracks.ndjson.gz", "note.txt"}
    assert {path.name for path in out.iterdir()} == names


def test_ctrl_c_in_the_middle_of_an_answer_is_no_traceback_and_leaves_no_process(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "smartstream", "simulate", str(tmp_path / "s"), "--seed", "3", "--seconds", "600"]
    run = subprocess.Popen(
        [*words, "--no-video"],
        stderr=subprocess.PIPE,
        text=True,
        # What runs in a shell's background inherits that Ctrl-C is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while not (sumo := _children(run.pid, b"bin/sumo\0")):
        assert run.poll() is None
        time.sleep(0.02)
    run.send_signal(signal.SIGINT)
    said = run.communicate(timeout=60)[1]
    assert run.returncode == 1
    assert "Traceback" not in said
    assert not (tmp_path / "s" / "site.toml").exists()
    assert not [pid for pid in sumo if os.path.exists(f"/proc/{pid}")]


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """It arrives where the tests run in the background of a shell, too, where it is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def idle_thread() -> Iterator[None]:
    """The system may give a signal to any thread that lets it in."""
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    yield
    done.set()
    thread.join()


@pytest.mark.usefixtures("ctrl_c", "idle_thread")
def test_ctrl_c_while_sumo_starts_leaves_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    started = []

    class Started(subprocess.Popen[bytes]):
        def __init__(self, *words: Any, **more: Any) -> None:
            super().__init__(*words, **more)
            started.append(self)
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.05)  # until whichever thread got it has passed it on

    monkeypatch.setattr(traffic.subprocess, "Popen", Started)
    with pytest.raises(KeyboardInterrupt), traffic.running_sumo(traffic.sumo_home(), ["sh", "-c", "sleep 60"]):
        pass
    assert started[0].poll() is not None


def _children(pid: int, program: bytes) -> list[str]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    with contextlib.suppress(FileNotFoundError):  # gone meanwhile
        return [child for child in children if program in Path(f"/proc/{child}/cmdline").read_bytes()]
    return []
