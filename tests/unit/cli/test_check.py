"""``smartstream check`` and ``smartstream schema`` as a person calls them."""

import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import jsonschema
import pytest

from smartstream.cli import installed
from smartstream.cli.check import warnings
from smartstream.cli.installed import not_installed
from smartstream.config.fields import FEEDS
from smartstream.config.site import load_site
from smartstream.testing.street import write_street

ROOT = Path(__file__).parents[3]
REFERENCE = Path(__file__).parents[1] / "config/reference_site.toml"


def smartstream(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own."""
    command = [sys.executable, "-m", "smartstream", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second of grey video."""
    if shutil.which("ffmpeg") is None:
        pytest.skip("needs the ffmpeg program")
    path = tmp_path_factory.mktemp("clip") / "scene.mp4"
    grey = ["-f", "lavfi", "-i", "color=gray:s=640x360:r=10", "-t", "1", "-pix_fmt", "yuv420p", "-c:v", "mpeg4"]
    subprocess.run(["ffmpeg", "-loglevel", "error", *grey, path], check=True, timeout=60)
    return path


@pytest.fixture
def site(tmp_path: Path, clip: Path) -> Path:
    """The interface's example with all its files beside it."""
    text = REFERENCE.read_text()
    (tmp_path / "site.toml").write_text(text)
    for name in ("signals", "sensors", "reports", "indicators", "media", "conditions"):
        (tmp_path / f"{name}.ndjson").write_text("{}\n")
    shutil.copy(clip, tmp_path / "scene.mp4")
    return tmp_path / "site.toml"


def test_a_good_file_is_summed_up(site: Path) -> None:
    done = smartstream("check", site)
    assert done.returncode == 0, done.stderr
    assert all(line.startswith("warning: ") for line in done.stderr.splitlines()), "feeds that are not read yet"
    assert "camera cam-s at j1: file:scene.mp4, motion, 1 lane, 1 line, 1 zone" in done.stdout
    assert "scene.mp4: mpeg4 640x360, 10 frames/s, 1.0 s" in done.stdout
    assert "rules: red_light" in done.stdout


def test_missing_and_empty_files_are_mistakes(site: Path) -> None:
    (site.parent / "scene.mp4").unlink()
    (site.parent / "media.ndjson").unlink()
    done = smartstream("check", site)
    assert (done.returncode, done.stdout) == (2, "")
    head, *lines = done.stderr.splitlines()
    assert head.endswith("site.toml: 2 mistakes")
    assert [line.split()[0] for line in lines] == ["camera[0].url", "media_feed[0].url"]


def test_a_mistake_is_one_message_without_a_traceback(site: Path) -> None:
    site.write_text(site.read_text().replace('"red_light"', '"red_lihgt"'))
    done = smartstream("check", site)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert '(did you mean "red_light"?)' in done.stderr


def test_red_light_without_signal_feed_is_a_warning(site: Path) -> None:
    text = site.read_text()
    start, end = text.index("[[signal_feed]]"), text.index("[[camera]]")
    site.write_text(text[:start] + text[end:])
    done = smartstream("check", site)
    assert done.returncode == 0
    assert "warning: camera[0] (cam-s): no [[signal_feed]]" in done.stderr


@pytest.mark.parametrize(
    ("good", "bad", "said"),
    [
        ("points = [[0.56667, 0.74], [0.3, 0.74]]", "points = [[9.0, 9.0], [9.5, 9.0]]", "line stop: no lane"),
        (
            "image = [[0.3, 0.2], [0.7, 0.2], ",
            "image = [[0.7, 0.2], [0.3, 0.2], ",
            "calibration: the points determine no",
        ),
    ],
)
def test_what_only_the_engine_can_see_is_a_mistake(tmp_path: Path, good: str, bad: str, said: str) -> None:
    """Such a site file passed, and its run was refused."""
    site = write_street(tmp_path, seconds=20)
    text = site.read_text()
    assert good in text
    site.write_text(text.replace(good, bad))
    done = smartstream("check", site)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("smartstream: camera cam: ")
    assert said in done.stderr


def test_a_polygon_whose_edges_cross_is_a_warning(site: Path) -> None:
    corners, crossed = "[0.44, 0.30], [0.40, 0.30]]", "[0.40, 0.30], [0.44, 0.30]]"
    assert corners in site.read_text()
    site.write_text(site.read_text().replace(corners, crossed))
    done = smartstream("check", site)
    assert done.returncode == 0
    assert "warning: camera[0].lane[0].polygon (S0): its edges cross" in done.stderr


def test_draw_shows_the_geometry_on_the_first_picture(site: Path) -> None:
    cv2 = pytest.importorskip("cv2")
    done = smartstream("check", site, "--draw", site.parent / "out")
    assert done.returncode == 0, done.stderr
    drawn = cv2.imread(str(site.parent / "out/cam-s.png"))
    assert drawn.shape == (360, 640, 3)
    x, y = round(0.34 * 640), round(0.64 * 360)  # on the stop line, off its label
    blue, green, red = drawn[y, x].astype(int)
    assert red > 200 > green + 60, (blue, green, red)


@pytest.mark.parametrize("out", ["taken", "taken/deeper", "full"])
def test_a_folder_that_cannot_be_drawn_into_is_one_message(site: Path, out: str) -> None:
    """A path that is a file, or leads through one, ended in a traceback; a picture that was not written in nothing."""
    pytest.importorskip("cv2")
    (site.parent / "taken").write_text("a file")
    (site.parent / "full/cam-s.png").mkdir(parents=True)
    done = smartstream("check", site, "--draw", site.parent / out)
    assert done.returncode == 2
    assert "drawn:" not in done.stdout
    assert "Traceback" not in done.stderr
    assert "--draw" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("kind", FEEDS)
def test_a_file_that_is_missing_is_a_mistake_of_every_feed(site: Path, kind: str) -> None:
    table = f'\n[[{kind}]]\nurl = "file:nowhere.ndjson"\n' + ('junction = "j1"\n' if kind == "signal_feed" else "")
    site.write_text(site.read_text() + table)
    done = smartstream("check", site)
    assert done.returncode == 2
    assert '].url — found "file:nowhere.ndjson", which cannot be opened' in done.stderr
    assert f" {kind}[" in done.stderr


@pytest.mark.parametrize("kind", FEEDS)
def test_every_feed_is_summed_up_and_is_a_source(tmp_path: Path, kind: str) -> None:
    """Feeds of approvals and media were left out, and a site of signals alone was told to end at once."""
    (tmp_path / "lines.ndjson").write_text("{}\n")
    place = '[[junction]]\nid = "j1"\n' if kind in ("signal_feed", "condition_feed") else ""
    of = 'junction = "j1"\n' if kind == "signal_feed" else ""
    text = f'[site]\nid = "a"\nprovince = "19"\n{place}[[{kind}]]\n{of}url = "file:lines.ndjson"\n'
    (tmp_path / "site.toml").write_text(text)
    done = smartstream("check", tmp_path / "site.toml")
    assert done.returncode == 0, done.stderr
    assert f"{kind}{' of j1' if of else ''}: file:lines.ndjson, late after " in done.stdout
    assert "no source at all" not in done.stderr


def test_a_site_without_a_source_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_text('[site]\nid = "a"\nprovince = "19"\n')
    done = smartstream("check", tmp_path / "site.toml")
    assert (done.returncode, done.stderr) == (0, "warning: no source at all: a run would end at once\n")


def test_conditions_of_no_junction_are_a_warning(tmp_path: Path) -> None:
    text = '[site]\nid = "a"\nprovince = "19"\n[[condition_feed]]\nurl = "file:lines.ndjson"\n'
    (tmp_path / "site.toml").write_text(text)
    (tmp_path / "lines.ndjson").write_text("")
    done = smartstream("check", tmp_path / "site.toml")
    assert done.returncode == 0
    assert (
        done.stderr == "warning: condition_feed: no [[junction]] whose rules it could change; nothing of it is read\n"
    )


def test_what_is_no_video_is_a_mistake(site: Path) -> None:
    (site.parent / "scene.mp4").write_bytes(b"no video")
    done = smartstream("check", site)
    assert (done.returncode, done.stdout) == (2, "")
    assert "camera[0].url: " in done.stderr
    assert "scene.mp4: not a video file" in done.stderr


def test_a_live_camera_is_not_called_but_its_address_is_looked_at(site: Path) -> None:
    text = site.read_text().replace("start_time = 1790000000.0", "")
    site.write_text(text.replace("file:scene.mp4", "rtsp://127.0.0.1:9/1"))
    assert smartstream("check", site).returncode == 0
    site.write_text(text.replace("file:scene.mp4", "rtsp://admin:geheim@127.0.0.1/1"))
    done = smartstream("check", site)
    assert done.returncode == 2
    assert "expected rtsp://HOST…; credentials belong in the environment" in done.stderr
    assert "geheim" not in done.stderr


def test_tracks_are_drawn_on_grey(site: Path) -> None:
    pytest.importorskip("cv2")
    line = '{"time": 1790000000, "run": 0, "track": 1, "class": "car", "score": 1, "box": [0.1, 0.1, 0.2, 0.2]}'
    (site.parent / "tracks.ndjson").write_text(line + "\n")
    site.write_text(site.read_text().replace("file:scene.mp4", "tracks:tracks.ndjson"))
    done = smartstream("check", site, "--draw", site.parent / "out")
    assert done.returncode == 0, done.stderr
    assert "cam-s.png (tracks have no picture)" in done.stdout


def test_the_schema_accepts_what_the_loader_accepts() -> None:
    schema = json.loads(smartstream("schema").stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    raw = tomllib.loads(REFERENCE.read_text())
    jsonschema.validate(raw, schema)
    raw["camera"][0]["rule"][0]["kind"] = "red_lihgt"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(raw, schema)
    grace = schema["$defs"]["RedLight"]["properties"]["grace_s"]
    assert grace["default"] == 0.3
    assert grace["description"].startswith("Seconds")


def test_every_field_of_the_schema_has_a_description() -> None:
    schema = json.loads(smartstream("schema").stdout)
    for name, table in {"Site": schema, **schema["$defs"]}.items():
        for key, field in table.get("properties", {}).items():
            of_type = schema["$defs"].get(field.get("$ref", "").rsplit("/", 1)[-1], {})
            assert key == "kind" or (field | of_type).get("description"), f"{name}.{key}"


def test_a_stop_line_that_lies_half_in_no_lane_is_a_warning(site: Path) -> None:
    told = "warning: camera[0].line[0] (S-stop): 6"
    done = smartstream("check", site)
    assert done.returncode == 0
    assert told in done.stderr
    lane, wide = "[[0.31, 0.63], [0.42, 0.63]", "[[0.31, 0.63], [0.64, 0.63]"
    assert lane in site.read_text()
    site.write_text(site.read_text().replace(lane, wide))
    done = smartstream("check", site)
    assert done.returncode == 0
    assert "in no lane" not in done.stderr


def test_what_this_machine_lacks_is_a_warning(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asks = {
        "evidence": '[evidence]\ndir = "evidence"\n',
        "redis": '[redis]\nurl = "redis://127.0.0.1:6379/0"\n',
        "mqtt": '[[sensor_feed]]\nurl = "mqtt://127.0.0.1:1883/air"\n',
        "intake": '[[report_feed]]\nurl = "http://127.0.0.1:8311/"\n',
    }
    text = site.read_text()
    site.write_text(text + "".join(t for t in asks.values() if t.startswith("[[") or t.split("\n")[0] not in text))
    loaded = load_site(site)
    assert [told for told in not_installed(loaded) if "smartstream[" in told] == []
    monkeypatch.setattr(installed, "find_spec", lambda module: None)
    told = not_installed(loaded)
    assert not [extra for extra in asks if not any(f"pip install 'smartstream[{extra}]'" in line for line in told)]
    assert set(told) <= set(warnings(loaded))
    monkeypatch.setenv("SMARTSTREAM_NATS_SERVER", "/nowhere/nats-server")
    assert "nats.url: SMARTSTREAM_NATS_SERVER=/nowhere/nats-server: expected a program that can be run" in (
        not_installed(loaded)
    )


def test_every_extra_that_check_names_is_one() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(installed._MODULES) <= set(extras)
