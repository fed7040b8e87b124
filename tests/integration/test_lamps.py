"""Signals read from the lamps of the demo's clip, and of real clips: as the source, and beside a controller's feed."""

import json
import shutil
import subprocess
import time
from datetime import datetime
from pathlib import Path

import pytest

from smartstream import _core
from smartstream.errors import ConfigError, InvalidInputError
from smartstream.model.time import NS, rfc3339
from smartstream.testing.golden import play

CLIP = Path(__file__).parents[2] / "smartstream/demo/clip"
REAL = Path(__file__).parents[3] / "shared/data/video"
T0 = 1_790_000_000.0
FRAME_S = 0.05
TRUTH = json.loads((CLIP / "truth.json").read_text())
FED = [json.loads(line) for line in (CLIP / "signals.ndjson").read_text().splitlines()]
FEED = '[[signal_feed]]\njunction = "j1"\nurl = "file:signals.ndjson"\n'
SECONDS = 36
"""The first cycle: green, amber at 13 s, red from 16 s, its offences at 33 s."""
pytestmark = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg to cut the clip")


def zone(head, *more):
    keys = {"id": f"lamps-{head['signal']}", "kind": "signal_head", **head}
    return "\n".join(["[[camera.zone]]", *(f"{k} = {json.dumps(v)}" for k, v in keys.items()), *more])


HEADS = [zone(head) for head in TRUTH["signal_heads"]]


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("clip") / "scene.mp4"
    cut = ["ffmpeg", "-v", "error", "-i", CLIP / "scene.mp4", "-t", str(SECONDS), "-c", "copy", path]
    subprocess.run(cut, check=True)
    return path


def write_site(folder, clip, *, heads=HEADS, feed=None):
    """The demo's junction by its perfect tracks, a second camera that looks at the lamps, and a feed or none."""
    text = (CLIP / "site.toml").read_text().replace("file:scene.mp4", f"tracks:{CLIP / 'tracks.ndjson.gz'}")
    assert FEED in text
    if feed is None:
        text = text.replace(FEED, "")
    else:
        (folder / "signals.ndjson").write_text("".join(json.dumps(line) + "\n" for line in feed))
    red_light = '[[camera.rule]]\nkind = "red_light"\nline = "S-stop"\n'
    camera = f'[[camera]]\nid = "cam-l"\njunction = "j1"\nurl = "file:{clip}"\nstart_time = {T0}\n'
    path = folder / "site.toml"
    path.write_text("\n".join([text[: text.index("[[camera.rule]]")], red_light, camera, *heads]))
    return path


def of(events, *prefixes):
    found = sorted((json.loads(event) for event in events), key=lambda e: (e["time"], e["id"]))
    found = [e for e in found if _seconds(e["time"]) < SECONDS - 0.1]
    return [e for e in found if any(e["type"].startswith(f"vn.ioc.{prefix}") for prefix in prefixes)]


def verdicts(events):
    return [(e["type"], e["time"], e["data"]["track"]) for e in of(events, "violation")]


@pytest.fixture(scope="module")
def read(tmp_path_factory, clip):
    """Without any feed."""
    return play(write_site(tmp_path_factory.mktemp("read"), clip))


def test_lamps_say_what_the_controller_would(read):
    """Each change within the frames that show it; lamps of both groups, red suspected by them."""
    states = [e for e in of(read, "signal.state") if e["data"]["state"] != "unknown"]
    assert sorted((e["data"]["group"], e["data"]["state"], e["time"]) for e in states) == sorted(
        (line["signal"], line["state"], rfc3339(round(line["time"] * NS)))
        for line in FED
        if line["time"] < T0 + SECONDS
    )
    for event in states:
        after, since = (_seconds(t) for t in event["data"]["began"])
        assert 0 <= since - after <= FRAME_S + 1e-3
        assert event["data"]["confidence"] > 0.9
    suspected = of(read, "violation.red_light.suspected")
    assert suspected
    assert {e["data"]["explanation"]["facts"]["signal_began_within_s"] for e in suspected} == {FRAME_S}


def test_stopped_anywhere_and_resumed_the_same_changes(tmp_path, clip):
    heads = [
        {"zone": h["signal"], "polygon": h["polygon"], "groups": [h["signal"]], "lamps": h["lamps"]}
        for h in TRUTH["signal_heads"]
    ]
    config = {"camera": "c", "files": [str(clip)], "start_time_ns": 0, "heads": heads, "checkpoint_s": 0.3}

    def follow(run, stop_after):
        found = []
        while len(found) < stop_after:
            polled = run.poll(1)
            found += [item for item in polled if item[0] in ("lamps", "tracks", "end")]
            if ("end",) in polled:
                break
            time.sleep(0 if polled else 0.002)
        return found

    text = json.dumps(config).encode()
    straight = follow(_core.CameraRun(text), 10_000)
    resumed, token = [], None
    for stop_after in (111, 107, 10_000):  # inside of the first amber and of the first red
        run = _core.CameraRun(text, token, str(tmp_path))
        resumed += follow(run, stop_after)
        token = run.position()
        run.close()
    assert resumed == straight


def test_beside_a_feed_that_agrees_nothing_changes(read, tmp_path, clip):
    """A clock a fifth of a second off is no disagreement."""
    late = [{**line, "time": line["time"] + 0.2} for line in FED]
    events = play(write_site(tmp_path, clip, feed=late), order_seed=3)
    assert not of(events, "signal.fault")
    assert [e["data"].get("source") for e in of(events, "signal.state")] == [None] * 7
    assert verdicts(events) == verdicts(read)


def test_a_feed_that_says_red_where_the_lamps_show_green_accuses_nobody(tmp_path, clip):
    """Of the other group the lamps are believed, because the site file says so."""
    lying = [{**line, "state": "red"} for line in FED if line["time"] == T0]
    path = write_site(tmp_path, clip, feed=lying)
    path.write_text(path.read_text().replace('id = "S-left"\n', 'id = "S-left"\nsource = "lamps"\n', 1))
    events = play(path)
    opened = of(events, "signal.fault.opened")
    through = next(e for e in opened if e["data"]["group"] == "S-through")
    assert through["data"]["faults"] == ["disagreement"]
    assert (through["data"]["state"], through["data"]["witness"]) == ("red", "green")
    assert "không khớp" in through["data"]["text"]
    retracted = {e["data"]["retracts"] for e in of(events, "violation.red_light.retracted")}
    assert all(e["id"] in retracted for e in of(events, "violation.red_light.suspected"))
    left = [e["data"]["state"] for e in of(events, "signal.state") if e["data"]["group"] == "S-left"]
    assert left == ["red", "green", "amber", "red"]


def _seconds(text):
    return datetime.fromisoformat(text).timestamp() - T0


GOOD = TRUTH["signal_heads"][0]


@pytest.mark.parametrize(
    ("head", "says"),
    [
        ({**GOOD, "polygon": [[0.5, 0.9], [0.6, 0.9], [0.6, 1.2]]}, "inside the picture"),
        ({**GOOD, "signal": "S-thruogh"}, 'expected the id of a [[junction.signal]] of "j1" ("S-through", "S-left")'),
        ({**GOOD, "lamps": ["red", "red"]}, "each colour once"),
        ({**GOOD, "lamps": ["hidden"]}, "one that is not hidden"),
        ({**GOOD, "lamps": ["red", "blue"]}, 'one of "red", "amber", "green", "hidden"'),
        ({**GOOD, "arrow": "right"}, "an arrow beside a full head has one lamp"),
        ({**GOOD, "kind": "box"}, "only a signal_head has lamps"),
    ],
)
def test_a_wrong_head_is_refused_by_its_place(tmp_path, clip, head, says):
    with pytest.raises(ConfigError) as refused:
        play(write_site(tmp_path, clip, heads=[zone(head)]))
    assert says in str(refused.value)
    assert ".zone[" in str(refused.value)


def test_lamps_too_small_to_be_read_are_refused_with_the_size_they_need(tmp_path, clip):
    (x0, y0), _, (x1, y1), _ = GOOD["polygon"]
    small = {**GOOD, "polygon": [[x0, y0], [x0 + 0.4 * (x1 - x0), y0], [x0 + 0.4 * (x1 - x0), y1], [x0, y1]]}
    with pytest.raises(InvalidInputError, match=r"lamps of 4\.4 pixels in a picture of 1280x720, expected 6 or more"):
        play(write_site(tmp_path, clip, heads=[zone(small)]))


def test_a_group_is_read_by_one_camera_and_a_source_must_be_there(tmp_path, clip):
    path = write_site(tmp_path, clip)
    text = path.read_text().replace('id = "S-left"\n', 'id = "S-left"\nsource = "feed"\n', 1)
    camera = f'[[camera]]\nid = "b"\njunction = "j1"\nurl = "file:{clip}"\nstart_time = {T0}\n'
    path.write_text("\n".join([text, camera, HEADS[0]]))
    with pytest.raises(ConfigError) as refused:
        play(path)
    assert "one camera that reads the lamps of a group" in str(refused.value)
    assert 'junction[0].signal[1].source — found "feed" — expected a [[signal_feed]]' in str(refused.value)


def box(x, y, w, h, size):
    corners = ((x, y), (x + w, y), (x + w, y + h), (x, y + h))
    return [[px / size[0], py / size[1]] for px, py in corners]


def look(name, heads):
    """What the groups of a real clip show: state, after and since in seconds of the clip."""
    config = {"camera": "c", "files": [str(REAL / name)], "start_time_ns": 0, "heads": heads}
    run, found, ended = _core.CameraRun(json.dumps(config).encode()), [], False
    while not ended:
        for item in run.poll(100):
            found += item[1] if item[0] == "lamps" else []
            ended |= item[0] == "end"
        time.sleep(0.002)
    return [(group, state, round(a / 1e9, 2), round(s / 1e9, 2)) for group, state, a, s, _ in found]


@pytest.mark.shared
@pytest.mark.skipif(not REAL.is_dir(), reason="../shared is not there")
@pytest.mark.parametrize(
    ("name", "size", "ball", "arrow"),
    [
        ("vn_signal_rightarrow.mp4", (1018, 720), (869, 68, 17, 63), (868, 145, 18, 24)),
        ("vn_signal_wide.mp4", (1006, 720), (981, 129, 19, 57), (983, 202, 18, 19)),
    ],
)
def test_a_red_ball_with_a_green_arrow_on_real_lamps_that_pulse(name, size, ball, arrow):
    """The truth: red ball and green arrow for the whole clip; half of the pictures meet the lamps dark."""
    full = {"zone": "ball", "polygon": box(*ball, size), "groups": ["S", "R"], "lamps": ["red", "amber", "green"]}
    right = {"zone": "arrow", "polygon": box(*arrow, size), "groups": ["R"], "lamps": ["green"], "arrow": True}
    *found, one, two = look(name, [full, right])
    assert sorted(c[:2] for c in found) == [("R", "green"), ("S", "red")]
    assert {one[:2], two[:2]} == {("R", "unknown"), ("S", "unknown")}, "at the end nobody looks any more"


@pytest.mark.shared
@pytest.mark.skipif(not REAL.is_dir(), reason="../shared is not there")
def test_the_red_of_a_real_crossroads_begins_with_the_picture_that_shows_it():
    """The truth: green to 1.2 s, an amber that cannot be seen, red from frame 25 (4.16 s) on."""
    near = {"zone": "n", "polygon": box(617, 175, 14, 48, (640, 480)), "groups": ["S"]}
    found = look("hanoi_giangvo_langha.mp4", [near | {"lamps": ["red", "hidden", "green"]}])
    states = [("green", 0.0, 0.0), ("unknown", 1.04, 1.2), ("red", 4.0, 4.16)]
    assert [c[1:] for c in found[:3]] == states
    assert [c[1] for c in found[3:]] == ["unknown"], "the clip ends"
