"""The site file: the interface's example, the scenes' files, and mistakes told in plain words."""

# ruff: noqa: E501  (the table reads best with one mistake per line)

import copy
import json
import pickle
import re
import subprocess
import sys
from pathlib import Path

import pytest

from smartstream.config.fields import parse_address, parse_hours
from smartstream.config.site import Site, load_site, parse_site
from smartstream.errors import ConfigError

REFERENCE = Path(__file__).with_name("reference_site.toml")
SHARED = Path(__file__).parents[4] / "shared"


def mistakes(text: str) -> list[str]:
    """The lines of the message, one per mistake."""
    with pytest.raises(ConfigError) as e:
        parse_site(text, folder=Path(), name="s")
    head, *rest = str(e.value).splitlines()
    assert not rest or head == f"s: {len(rest)} mistakes"
    return [line.strip() for line in rest] or [head.removeprefix("s: ")]


def one_mistake(old: str, new: str) -> str:
    """The only mistake of the interface's example with one place changed."""
    text = REFERENCE.read_text()
    assert old in text
    found = mistakes(text.replace(old, new, 1))
    assert len(found) == 1, found
    return found[0]


def test_the_example_of_the_interface_loads_with_its_defaults() -> None:
    site = load_site(REFERENCE)
    camera = site.camera[0]
    assert (site.site.id, site.site.province, site.site.ward) == ("demo", "19", "05482")
    assert site.nats.url == "embedded"
    assert site.path(site.nats.store) == REFERENCE.parent / "var/nats"
    assert site.junction[0].title == "Ngã tư Tân Long"
    assert camera.url == ("file:scene.mp4",)
    assert camera.start_time_ns == 1_790_000_000_000_000_000
    assert camera.allowed_lateness_s == 2
    assert camera.lane[0].allowed == ("motorcycle", "bicycle", "bus", "truck")
    assert camera.rule[0].kind == "red_light"
    assert (camera.rule[0].grace_s, camera.rule[0].incursion_m) == (0.3, 3.0)
    assert site.signal_feed[0].allowed_lateness_s == 1
    assert site.signal_feed[0].heartbeat_s is None
    assert site.sensor_feed[0].allowed_lateness_s == site.indicator_feed[0].allowed_lateness_s == 600
    assert site.report_feed[0].allowed_lateness_s == site.media_feed[0].allowed_lateness_s == 300
    assert site.address(camera.url[0]) == ("file", str(REFERENCE.parent / "scene.mp4"))


def test_only_the_site_table_is_needed() -> None:
    site = parse_site('[site]\nid = "a"\nprovince = "19"\n', folder=Path("/x"))
    assert site.site.timezone == "Asia/Ho_Chi_Minh"
    assert site.redis is None
    assert site.camera == ()


def test_a_site_is_frozen_and_travels() -> None:
    site = load_site(REFERENCE)
    with pytest.raises(ValueError, match="frozen"):
        site.site.id = "other"  # type: ignore[misc]
    for twin in (pickle.loads(pickle.dumps(site)), copy.deepcopy(site)):
        assert twin == site
        assert twin.folder == REFERENCE.parent


def test_the_fingerprint_is_of_what_the_file_says() -> None:
    text = REFERENCE.read_text()
    a = parse_site(text, folder=Path("/a")).fingerprint()
    assert parse_site("# a comment\n" + text, folder=Path("/b")).fingerprint() == a
    assert parse_site(text.replace("speed_limit_kmh = 50", "speed_limit_kmh = 50.0"), folder=Path()).fingerprint() == a
    assert (
        parse_site(text.replace('kind = "red_light"', 'kind = "red_light"\ngrace_s = 0.3'), folder=Path()).fingerprint()
        == a
    )
    assert parse_site(text.replace("speed_limit_kmh = 50", "speed_limit_kmh = 51"), folder=Path()).fingerprint() != a


@pytest.mark.shared
@pytest.mark.parametrize("scene", ["day", "night", "shaky", "long"])
@pytest.mark.parametrize("tracks", [[], ["--tracks"]])
def test_the_site_file_of_a_scene_loads(scene: str, tracks: list[str], tmp_path: Path) -> None:
    if not SHARED.is_dir():
        pytest.skip("no ../shared beside the checkout")
    tool = [sys.executable, SHARED / "tools/site_from_truth.py", SHARED / "scenes" / scene, *tracks]
    (tmp_path / "s.toml").write_bytes(subprocess.run(tool, check=True, capture_output=True).stdout)
    site = load_site(tmp_path / "s.toml")
    assert [r.kind for r in site.camera[0].rule][:2] == ["red_light", "wrong_way"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('id = "demo"', "id = 7", "site.id — found 7 — expected text in quotes"),
        ('id = "demo"', 'id = "a.b"', 'site.id — found "a.b" — expected one NATS token: 1 to 64 letters, digits, _ or -'),
        ('province = "19"', "", "site.province — found nothing — expected text in quotes (Administrative code of the province: second token of every subject)"),
        ('province = "19"', 'provinse = "19"', 'site.provinse — found a key that is not known here — expected one of id, province, ward, wards, timezone (did you mean "province"?)'),
        ('"Asia/Ho_Chi_Minh"', '"Saigon"', 'site.timezone — found "Saigon" — expected a time zone of the IANA database, such as "Asia/Ho_Chi_Minh"'),
        ('url = "embedded"', 'url = "nats://me:secret@h"', 'nats.url — found "…@…" — expected "embedded", nats://HOST:PORT or tls://HOST:PORT; credentials belong in the environment'),
        ("lat = 21.6103", "lat = 121.6103", "junction[0].position.lat — found 121.6103 — expected a number from -90 to 90"),
        ("lon = 105.8412", "lon = nan", "junction[0].position.lon — found NaN — expected a number from -180 to 180"),
        ('"file:signals.ndjson"', '"signals.ndjson"', 'signal_feed[0].url — found "signals.ndjson" — expected file:PATH, nats:SUBJECT or mqtt://HOST/TOPIC'),
        ('"file:scene.mp4"', '"ftp://x/y"', 'camera[0].url — found "ftp://x/y" — expected file:PATH, rtsp://…, rtsps://…, http://… or tracks:PATH'),
        ('"file:scene.mp4"', '["file:a.mp4", "rtsp://x"]', 'camera[0].url — found ["file:a.mp4", "rtsp://x"] — expected a list of file:PATH only (consecutive files), or one address'),
        ("start_time = 1790000000.0", "", "camera[0].start_time — found nothing — expected the event time of the file's first frame"),
        ("start_time = 1790000000.0", 'start_time = "2026-09-21T21:13:40"', 'camera[0].start_time — found "2026-09-21T21:13:40" — expected an instant: RFC 3339 with a UTC offset, or epoch seconds since 1970'),
        ('detector = "motion"', 'detector = "onnx"', "camera[0].model — found nothing — expected the model file of the onnx detector"),
        ('detector = "motion"', 'detector = "motoin"', 'camera[0].detector — found "motoin" — expected one of "motion", "onnx", "tensorrt" (did you mean "motion"?)'),
        ("[[0.3, -20.5], ", "[", "camera[0].calibration.world_m — found [[10.5, -20.5], [10.5, -65.5], [-10.5, -65.5]] — expected a list of at least 4 [x, y] pairs"),
        ("[[0.32, 0.64], [0.63, 0.64], [0.55, 0.31], ", "[[0.32, 0.64], [0.63, 0.64], [0.5, 0.64], ", "camera[0].calibration — found 4 image points and 4 world_m points that fix no plane — expected at least 4 pairs of which no three lie on one line, neither in the picture nor on the ground"),
        ("[0.40, 0.30]]", "[0.40]]", "camera[0].lane[0].polygon[3] — found [0.4] — expected a list of 2 numbers"),
        ("[0.31, 0.63], [0.42, 0.63], [0.44, 0.30], ", "[0.31, 0.63], ", "camera[0].lane[0].polygon — found [[0.31, 0.63], [0.4, 0.3]] — expected a list of at least 3 [x, y] pairs"),
        ("[0.31, 0.63]", "[310, 630]", "camera[0].lane[0].polygon[0] — found [310, 630] — expected normalised picture coordinates (0 to 1 is the picture), not pixels"),
        ("direction = [0.0, 1.0]", "direction = [0, 0]", "camera[0].lane[0].direction — found [0, 0] — expected a vector that points somewhere"),
        ('"bus", "truck"]', '"bus", "lorry"]', 'camera[0].lane[0].allowed[3] — found "lorry" — expected one of "unknown", "motorcycle", "bicycle", "car", "truck", "bus", "pedestrian"'),
        ('signal = "S-through"', 'signal = "S-left"', 'camera[0].lane[0].signal — found "S-left" — expected the id of a [[junction.signal]] of "j1" ("S-through")'),
        ('signal = "S-through"', 'signal = "S-through"\nmovement_signal = { right = "S-through" }', 'camera[0].lane[0].movement_signal.right — found no such exit line — expected an exit line with movement "right": only there it shows who obeyed which light'),
        ('kind = "stop" ', 'kind = "stop"\nmovement = "left" ', 'camera[0].line[0].movement — found "left" — expected a movement on "exit" lines only'),
        ("points = [[0.32, 0.64], [0.63, 0.64]]", "points = [[0.3, 0.6]]", "camera[0].line[0].points — found [[0.3, 0.6]] — expected a list of 2 [x, y] pairs"),
        ('line = "S-stop"', "", "camera[0].rule[0].line — found nothing — expected text in quotes (Stop line)"),
        ('line = "S-stop"', 'line = "S-stpo"', 'camera[0].rule[0].line — found "S-stpo" — expected the id of a line of "cam-s" ("S-stop")'),
        ('kind = "stop" ', 'kind = "count" ', 'camera[0].rule[0].line — found "S-stop" of kind "count" — expected a line of kind "stop"'),
        ('line = "S-stop"', 'line = "S-stop"\ngrace_s = -1', "camera[0].rule[0].grace_s — found -1 — expected a number from 0 to 86400"),
        ('line = "S-stop"', 'line = "S-stop"\ngrace_s = "1"', 'camera[0].rule[0].grace_s — found "1" — expected a number from 0 to 86400'),
        ('line = "S-stop"', 'line = "S-stop"\n[[camera.rule]]\nkind = "u_turn"', "camera[0].rule[1] — found neither `zone` nor `line` — expected one of them or both"),
        ('line = "S-stop"', 'line = "S-stop"\n[[camera.rule]]\nkind = "red_light"\nline = "S-stop"', "camera[0].rule[1] — found the same rule as camera[0].rule[0] — expected each rule once"),
        ('line = "S-stop"', 'line = "S-stop"\n[[camera.rule]]\nkind = "sidewalk"\nzone = "box"', 'camera[0].rule[1].zone — found "box" of kind "box" — expected a zone of kind "sidewalk"'),
        ('line = "S-stop"', 'line = "S-stop"\n[[camera.rule]]\nkind = "lane_arrow"', "camera[0].rule[1] — found no exit line with `movement` — expected at least one: a movement shows only there"),
        ('line = "S-stop"', 'line = "S-stop"\n[[camera.rule]]\nkind = "banned_class"\nzone = "box"\nclasses = ["truck"]\nhours = ["6-9"]', 'camera[0].rule[1].hours[0] — found "6-9" — expected local hours as "HH:MM-HH:MM", such as "06:00-09:00" or "22:00-05:00"'),
    ],
)  # fmt: skip
def test_a_mistake_names_place_found_and_expected(old: str, new: str, message: str) -> None:
    assert one_mistake(old, new) == message


@pytest.mark.parametrize(
    ("old", "new", "place", "wanted"),
    [
        ("file:scene.mp4", "rtsp://h:{}/1", "camera[0].url", "rtsp://… with a port from 1 to 65535"),
        ("file:scene.mp4", "http://h:{}/", "camera[0].url", "http://… with a port from 1 to 65535"),
        ("file:signals.ndjson", "mqtt://h:{}/a", "signal_feed[0].url", "mqtt://HOST/TOPIC with a port from 1 to 65535"),
        ("file:reports.ndjson", "http://h:{}/", "report_feed[0].url", "http://… with a port from 1 to 65535"),
        ('url = "embedded"', 'url = "nats://h:{}"', "nats.url", '"embedded", nats://HOST:PORT or tls://HOST:PORT'),
        ("redis://127.0.0.1:6379/0", "redis://h:{}", "redis.url", "redis://HOST:PORT/DB or rediss://HOST:PORT/DB"),
    ],
)
@pytest.mark.parametrize("port", ["0", "65536", "-1", "x"])
def test_a_port_that_is_none_is_a_mistake(old: str, new: str, place: str, wanted: str, port: str) -> None:
    """It passed the check, and the run ended in a traceback of the library that was to connect."""
    text = REFERENCE.read_text()
    if place == "camera[0].url":
        text = text.replace("start_time = 1790000000.0", "")
    (found,) = mistakes(text.replace(old, new.format(port)))
    assert found.startswith(f"{place} — found ")
    assert found.endswith(f" — expected {wanted}")


def test_an_arrow_names_a_group_that_there_is() -> None:
    text = REFERENCE.read_text().replace(
        'signal = "S-through"', 'signal = "S-through"\nmovement_signal = { right = "R" }'
    )
    wrong = mistakes(text.replace('kind = "stop" ', 'kind = "exit"\nmovement = "right" '))
    wanted = 'expected the id of a [[junction.signal]] of "j1" ("S-through")'
    assert f'camera[0].lane[0].movement_signal.right — found "R" — {wanted}' in wrong


def test_a_rule_in_metres_without_calibration_is_refused_with_that_reason() -> None:
    text = REFERENCE.read_text().replace('kind = "red_light"\nline = "S-stop"', 'kind = "wrong_way"')
    start, end = text.index("[camera.calibration]"), text.index("[[camera.lane]]")
    found = mistakes(text[:start] + text[end:])
    assert found == ["camera[0].rule[0] — found no [camera.calibration] — expected one: min_path_m is in metres"]


TEN = """
[site]
id = "my site"
province = 19
[nats]
url = "http://localhost"
[[junction]]
id = "j1"
[[junction.signal]]
id = "S"
[[signal_feed]]
junction = "j2"
url = "file:signals.ndjson"
[[camera]]
id = "c"
junction = "j1"
url = "file:a.mp4"
detector = "yolo"
[[camera.lane]]
id = "L"
polygon = [[0.1, 0.2], [0.3, 0.4]]
signal = "T"
colour = "red"
[[camera.line]]
id = "stop"
kind = "stop"
points = [[0.1, 0.2], [0.3, 0.4]]
[[camera.rule]]
kind = "red_light"
line = "stopp"
"""


def test_ten_mistakes_are_told_at_once_each_with_its_place() -> None:
    assert [line.split(" — ")[0] for line in mistakes(TEN)] == [
        "camera[0].detector",
        "camera[0].lane[0].colour",
        "camera[0].lane[0].polygon",
        "camera[0].lane[0].signal",
        "camera[0].rule[0].line",
        "camera[0].start_time",
        "nats.url",
        "signal_feed[0].junction",
        "site.id",
        "site.province",
    ]


@pytest.mark.parametrize("text", ["[site\n", "id = ", "[site]\nid = 1\nid = 2", "a = " + "[" * 100_000])
def test_broken_toml_is_one_mistake_with_its_line(text: str) -> None:
    (line,) = mistakes(text)
    assert "no TOML" in line
    assert "(at " in line or "too deep" in line


def test_a_file_that_cannot_be_read_is_one_mistake(tmp_path: Path) -> None:
    (tmp_path / "latin.toml").write_bytes("[site]\nid = 'Ngã'".encode("latin-1"))
    for name, word in (
        ("none.toml", "No such file"),
        (".", "Is a directory"),
        ("latin.toml", "UTF-8"),
        ("\0", "null byte"),
    ):
        with pytest.raises(ConfigError, match=word):
            load_site(tmp_path / name)


def test_toml_dates_are_instants() -> None:
    text = REFERENCE.read_text().replace("1790000000.0", "2026-09-21T21:13:20+07:00")
    assert parse_site(text, folder=Path()).camera[0].start_time_ns == 1_790_000_000_000_000_000


def test_addresses() -> None:
    assert parse_address("file:///a/b") == ("file", "/a/b")
    assert parse_address("file:/a b") == ("file", "/a b")
    assert parse_address("nats:city.signals.j1") == ("nats", "city.signals.j1")
    assert parse_address("mqtt://h:1883/a/b") == ("mqtt", "mqtt://h:1883/a/b")
    for bad in (
        "",
        "file:",
        "file://h/a",
        "nats://h",
        "nats:",
        "nats:a b",
        "mqtt://h",
        "mqtt://h/",
        "rtsp:x",
        "x:y",
    ):
        with pytest.raises(ValueError, match="expected"):
            parse_address(bad)


def test_hours() -> None:
    assert [str(t) for t in parse_hours("22:00-05:00")] == ["22:00:00", "05:00:00"]
    assert [str(t) for t in parse_hours("00:00-24:00")] == ["00:00:00", "00:00:00"]


def test_the_schema_says_defaults_and_units() -> None:
    schema = Site.model_json_schema()
    rule = schema["$defs"]["RedLight"]["properties"]["grace_s"]
    assert rule["default"] == 0.3
    assert "Seconds" in rule["description"]
    assert json.dumps(schema)
    unit = re.compile(r"second|metre|degree|km/h|m/s|days|bytes|from 0 to 1|iou|normalised|vector|looks per|instant")
    for name, table in {"Site": schema, **schema["$defs"]}.items():
        for key, said in table.get("properties", {}).items():
            where = f"{name}.{key}"
            assert key in table.get("required", ()) or "default" in said, f"{where} has no default"
            if '"number"' in json.dumps(said):
                assert unit.search(said["description"].lower()), f"{where} says no unit: {said['description']}"


def test_the_example_site_loads() -> None:
    site = load_site(Path(__file__).parents[3] / "deploy/sites/example.toml")
    assert [rule.kind for rule in site.camera[0].rule] == ["red_light", "stop_line", "wrong_way"]


def test_how_far_event_times_may_be_off_those_of_the_lights() -> None:
    site = parse_site(REFERENCE.read_text(), folder=Path(), name="s")
    file = next(c for c in site.camera if c.scheme == "file")
    live = file.model_copy(update={"url": ("rtsp://10.0.0.7/1",), "start_time": None})
    told = live.model_copy(update={"clock_error_s": 0.1})
    assert [site.clock_error_s(c) for c in (file, live, told)] == [0.0, 0.5, 0.1]
    assert site.clock_error_s(file.model_copy(update={"clock_error_s": 1.5})) == 1.5
    (junction, *_), zone = site.junction, file.zone[0]
    groups = tuple(group.id for group in junction.signal)
    head = zone.model_copy(update={"kind": "signal_head", "signal": groups})
    reading = live.model_copy(update={"zone": (head,)})
    alone = site.model_copy(update={"camera": (reading,), "signal_feed": ()})
    assert alone.clock_error_s(reading) == 0.0, "one clock for lights and vehicles"
    fed = site.model_copy(update={"camera": (reading,)})
    assert fed.clock_error_s(reading) == 0.5, "the feed is believed, by its own clock"
