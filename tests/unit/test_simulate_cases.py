"""Cases: the same seed plays the same; a driver keeps to his moves; the files say what was played."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest

from smartstream.config.site import load_site
from smartstream.simulate.cases import CASES
from smartstream.simulate.drive import Go, Wait, bend, drive
from smartstream.simulate.scene import SceneOptions, make_scene
from smartstream.simulate.traffic import STEP_S


def test_a_driver_stops_waits_and_backs_off():
    path = [(0.0, 0.0), (0.0, 100.0)]
    mover = drive("car", "car", path, [Go(50, 10, stop=True), Wait(2), Go(45, 1, stop=True)], at=(30.0, 7.0))
    t = mover.steps * STEP_S
    y = mover.front_m[:, 1]
    assert y[np.argmin(np.abs(t - 7.0))] == pytest.approx(30, abs=0.3)
    assert y.max() == pytest.approx(50, abs=0.05)
    assert y[-1] == pytest.approx(45, abs=0.05)
    stood = t[(mover.speed_mps == 0) & (y > 49.9)]
    assert stood[-1] - stood[0] == pytest.approx(2, abs=0.2)
    np.testing.assert_allclose(mover.heading, np.tile([0, 1], (len(t), 1)), atol=1e-9)


def test_a_bend_is_smooth():
    points = np.array(bend([(0, 0), (0, 20), (20, 20)], 5))
    turns = np.diff(np.unwrap(np.arctan2(*np.diff(points, axis=0).T)))
    assert np.abs(turns).max() < 0.25
    assert turns.sum() == pytest.approx(np.pi / 2, abs=0.05)


def make(out, seed, *kinds):
    make_scene(SceneOptions(seed, video=False, fps=12.5, cases=kinds), out, lambda _stage, _part: None)
    return {p.name: p.read_bytes() for p in sorted(out.iterdir())}


def test_the_same_seed_plays_the_same(tmp_path):
    first = make(tmp_path / "a" / "s", 7, "red_light", "sidewalk")
    assert first == make(tmp_path / "b" / "s", 7, "red_light", "sidewalk")
    assert first["tracks.ndjson.gz"] != make(tmp_path / "c" / "s", 8, "red_light", "sidewalk")["tracks.ndjson.gz"]


def test_every_kind_has_offences_near_misses_and_what_lifts_them(tmp_path):
    kinds = dict.fromkeys(case.kind for case in CASES)
    truth = json.loads(make(tmp_path / "s", 5, *kinds)["truth.json"])
    for kind in kinds:
        expects = [case["expects"] for case in truth["cases"] if case["kind"] == kind]
        assert expects.count("offence") >= 2, kind
        assert {"near_miss", "lifted"} <= set(expects), kind
        assert sum(v["kind"] == kind for v in truth["violations"]) >= 2, kind
        assert any(v["kind"] == kind for v in truth["lifted"]), kind
    spans = [(case["from"], case["until"]) for case in truth["cases"]]
    assert all(end < begin for (_, end), (begin, _) in pairwise(spans))


@pytest.mark.parametrize("kind", ["bus", "car", "motorcycle"])
def test_the_rear_of_a_vehicle_follows_inside_its_bend(kind):
    path = bend([(0.0, -60.0), (0.0, 0.0), (60.0, 0.0)], 9.0)
    mover = drive(kind, kind, path, [Go(200, 6)], at=(1.0, 0.0))
    length_m = mover.size_m[0]
    rear = mover.front_m - length_m * mover.heading
    assert rear[:, 0].min() > -0.2 * length_m  # it does not swing out as far as it is long
    axle = mover.front_m - 0.75 * length_m * mover.heading
    rolled = np.diff(axle, axis=0)
    slip = rolled[:, 0] * mover.heading[1:, 1] - rolled[:, 1] * mover.heading[1:, 0]
    assert np.abs(slip).max() < 0.05


@pytest.mark.parametrize("camera", ["rear", "rear-far"])
def test_a_camera_behind_the_vehicles_draws_what_lies_before_it_and_sees_rears(tmp_path, camera):
    options = SceneOptions(3, camera=camera, video=False, fps=12.5, cases=("red_light",))
    make_scene(options, tmp_path / "s", lambda _stage, _part: None)
    truth = json.loads((tmp_path / "s" / "truth.json").read_text())
    assert set(truth["lanes"]) == {"S0", "S1", "S2", "SO"}
    for lane in ("S0", "S1", "S2"):
        assert truth["lanes"][lane]["direction"][1] < 0  # up the picture: away
    assert truth["violations"]
    load_site(tmp_path / "s" / "site.toml")
