"""What a camera's tracks tell the joins."""

import numpy as np

from smartstream.model.classes import CLASS_CODE
from smartstream.model.time import NS
from smartstream.model.tracks import TrackBatch
from smartstream.streams.joins.camera_watch import CameraGeometry, CameraWatch
from smartstream.streams.joins.standing import Lane

LANE = {"S0": Lane(((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)), (0.0, 1.0), "G")}


def batch(rows, run=0):
    """Tracks from {second: [(track, x, y)]}, boxes a tenth of the picture high."""
    times = sorted(rows)
    flat = [row for t in times for row in rows[t]]
    return TrackBatch(
        run=run,
        frame_ns=np.array([round(t * NS) for t in times], np.int64),
        frame_no=np.arange(len(times), dtype=np.uint64),
        row_end=np.cumsum([len(rows[t]) for t in times]).astype(np.uint32),
        track=np.array([track for track, _, _ in flat], np.uint32),
        box=np.array([(x - 0.02, y - 0.1, x + 0.02, y) for _, x, y in flat], np.float32).reshape(-1, 4),
        score=np.ones(len(flat), np.float32),
        class_code=np.full(len(flat), CLASS_CODE["car"], np.uint8),
        flags=np.zeros(len(flat), np.uint8),
    )


def watch(**how):
    return CameraWatch(CameraGeometry("cam", "j1", (21.0, 105.0), LANE, **how))


def test_frames_that_stop_are_darkness_and_lines_that_stop_an_empty_street():
    here = {t: [(1, 0.2, 0.5)] for t in range(1000, 1020)}
    later = {t: [(2, 0.2, 0.5)] for t in range(1100, 1110)}
    video, lines = watch(), watch(frames=False)
    told = video.take(batch(here)) + video.take(batch(later))
    assert [f.kind for f in told if f.kind != "lanes"] == ["dark", "back"]
    assert next(f for f in told if f.kind == "dark").time_ns == 1029 * NS
    told = lines.take(batch(here)) + lines.take(batch(later))
    assert {f.kind for f in told} == {"lanes"}
    assert sum(bool(f.more.get("silent")) for f in told) == 5  # 1020 to 1095


def drive(watch, seconds, stops, *, passing=(), speed=0.36, leave=1000):
    """Cars that come down the lane and stop: {track: (second it stops, where)}; others drive past beside them."""
    rows = {}
    for t in range(seconds):
        here = [
            (n, 0.2, min(where, where - speed * (at - t)) + 0.2 * max(0, t - leave))
            for n, (at, where) in stops.items()
            if t >= at - 5
        ]
        here += [(90 + i, 0.35, 0.05 + 0.1 * (t - begin)) for i, begin in enumerate(passing) if 0 <= t - begin < 9]
        rows[1000 + t] = here
    return watch.take(batch(rows))


def test_two_that_stop_against_each_other_and_are_driven_past_are_an_impact():
    lit = watch()
    lit.signal("G", "green", 990 * NS)
    told = drive(lit, 60, {1: (6, 0.6), 2: (8, 0.5)}, passing=(20, 26, 32))
    impact = next(f for f in told if f.kind == "impact")
    assert sorted(impact.more["tracks"]) == [1, 2]
    assert 1005 <= impact.more["began_ns"] / NS <= 1009
    assert not [f for f in told if f.kind == "moved_off"]


def test_a_queue_at_red_is_none_nor_who_brakes_and_drives_on():
    red = watch()
    red.signal("G", "red", 990 * NS)
    assert not [f for f in drive(red, 60, {1: (6, 0.9), 2: (8, 0.8)}, passing=(20, 26, 32)) if f.kind == "impact"]
    green = watch()
    green.signal("G", "green", 990 * NS)
    assert not [f for f in drive(green, 14, {1: (6, 0.6), 2: (8, 0.5)}, passing=(9, 10)) if f.kind == "impact"]


def kinds(told):
    return [f.kind for f in told if f.kind in ("impact", "stuck_pair", "moved_off")]


def test_a_pair_that_comes_to_a_stop_slowly_is_no_impact_by_itself():
    lit = watch()
    lit.signal("G", "green", 990 * NS)
    assert kinds(drive(lit, 80, {1: (6, 0.6), 2: (8, 0.5)}, passing=(20, 26, 32), speed=0.1)) == []
    lit = watch()
    lit.signal("G", "green", 990 * NS)
    assert kinds(drive(lit, 120, {1: (6, 0.6), 2: (8, 0.5)}, passing=(20, 26, 32), speed=0.1)) == ["stuck_pair"]


def test_the_short_green_of_an_arrow_is_one_that_was_let_pass():
    def told(green):
        lit = watch()
        stops = {1: (6, 0.6), 2: (8, 0.5)}
        told = []
        rows = {}
        for t in range(60):
            rows[t] = [(n, 0.2, min(where, where - 0.36 * (at - t))) for n, (at, where) in stops.items() if t >= at - 5]
        for t in range(60):
            state = {0: "red", 20: "green", 20 + green: "amber", 23 + green: "red"}.get(t)
            if state:
                lit.signal("G", state, (1000 + t) * NS)
            told += lit.take(batch({1000 + t: rows[t]}))
        return kinds(told)

    assert told(8) == ["impact"]
    assert told(5) == []  # too short for anybody to start


def test_who_is_lost_is_found_again_where_he_stood_and_not_where_another_one_did():
    lit = watch()
    lit.take(batch({1000 + t: [(1, 0.2, 0.6), (2, 0.2, 0.56)] for t in range(20)}))
    lit.take(batch({1020 + t: [(7, 0.2, 0.562)] for t in range(5)}))
    stood = {stand[0]: round(stand[5], 3) for stand in lit.snapshot()["standing"]["stands"]}
    assert stood[7] == 0.56
    assert 2 not in stood


def test_a_pair_at_the_line_is_an_impact_when_it_lets_a_green_pass():
    def told(begin):
        lit = watch()
        lit.signal("G", "red", 990 * NS)
        lit.signal("G", "green", begin * NS)
        return kinds(drive(lit, 60, {1: (6, 0.97), 2: (8, 0.87)}, passing=(20, 26, 32)))

    assert told(1010) == ["impact"]
    assert told(1045) == []
    lanes = {"S0": Lane(((0.0, 0.0), (0.25, 0.0), (0.25, 1.0), (0.0, 1.0)), (0.0, 1.0), "G")}
    lanes["S1"] = Lane(((0.25, 0.0), (0.5, 0.0), (0.5, 1.0), (0.25, 1.0)), (0.0, 1.0), "H")
    beside = CameraWatch(CameraGeometry("cam", "j1", (21.0, 105.0), lanes))
    beside.signal("G", "green", 990 * NS)
    beside.signal("H", "red", 990 * NS)
    pair = ((1, 0.22, 6), (2, 0.28, 7))
    rows = {t: [(n, x, min(0.97, 0.97 - 0.36 * (at - t))) for n, x, at in pair if t >= at - 2] for t in range(60)}
    assert kinds(beside.take(batch({1000 + t: row for t, row in rows.items()}))) == []


def test_a_slow_pair_at_the_very_line_lets_two_greens_pass_before_it_is_one():
    def told(greens):
        lit = watch()
        out = []
        for t in range(200):
            for n in range(greens):
                if state := {0: "green", 20: "red"}.get(t - 20 - 60 * n):
                    lit.signal("G", state, (1000 + t) * NS)
            if t == 0:
                lit.signal("G", "red", 1000 * NS)
            stops = ((1, 0.97, 6), (2, 0.87, 8))
            rows = [(n, 0.2, min(where, where - 0.1 * (at - t))) for n, where, at in stops if t >= at - 8]
            out += lit.take(batch({1000 + t: rows}))
        return kinds(out)

    assert told(1) == []
    assert told(2) == ["stuck_pair"]


def test_a_pair_at_the_line_that_outlasts_any_red_is_an_impact_where_nobody_knows_the_light():
    def told(seconds):
        dark = watch()
        dark.signal("G", "unknown", 990 * NS)
        return kinds(drive(dark, seconds, {1: (6, 0.97), 2: (8, 0.87)}))

    assert told(100) == []
    assert told(160) == ["impact"]


def test_who_moves_off_is_told_with_how_long_he_stood_and_is_no_impact_any_more():
    lit, late = watch(), watch()
    for one in (lit, late):
        one.signal("G", "green", 990 * NS)
    told = drive(lit, 60, {1: (6, 0.6), 2: (8, 0.5)}, passing=(20, 26, 32), leave=40)
    assert kinds(told) == ["impact", "moved_off"]
    stood = next(f for f in told if f.kind == "moved_off").more["stood_s"]
    assert 31 <= stood <= 35  # not the seconds that it took to be sure
    # On their way when the quarter minute is over that makes them a pair: they braked, and that was all.
    assert kinds(drive(late, 60, {1: (6, 0.6), 2: (8, 0.5)}, passing=(20, 26, 32), leave=22)) == []


def test_where_nobody_knows_the_light_those_who_drive_by_the_same_one_tell():
    lanes = LANE | {"S1": Lane(((0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0)), (0.0, 1.0), "H")}

    def told(x):
        dark = CameraWatch(CameraGeometry("cam", "j1", (21.0, 105.0), lanes))
        rows = {}
        for t in range(90):
            here = [(n, 0.4, min(y, y - 0.36 * (at - t))) for n, at, y in ((1, 6, 0.6), (2, 8, 0.5)) if t >= at - 5]
            here += [(90 + i, x, 0.05 + 0.1 * (t - b)) for i, b in enumerate((30, 36, 42)) if 0 <= t - b < 9]
            rows[1000 + t] = here
        return kinds(dark.take(batch(rows)))

    assert told(0.3) == ["impact"]
    assert told(0.6) == []  # another light


def test_who_pulls_up_behind_somebody_does_not_take_his_place():
    """Far from the camera metres are small: in the picture the second stands nearly where the first does."""
    lit = watch()
    lit.signal("G", "green", 990 * NS)
    stop = {1: (30, 0.58), 2: (6, 0.6), 3: (20, 0.56)}  # who comes last is looked at first
    drive(lit, 50, stop)
    stands = lit.snapshot()["standing"]["stands"]
    assert {stand[0]: round(stand[1] / NS - 1000) for stand in stands} == {2: 6, 3: 20, 1: 30}


def test_half_a_lane_is_half_of_it_on_the_ground():
    """A picture in which the far half of the road takes up a tenth of the lane's height."""
    # (x, y) -> (x, y) / (11 - 10 y): y from 0 to 1 is 0 to 1 on the ground, its half is y = 11/12.
    ground = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, -10.0, 11.0)

    def first(y, ground):
        cars = watch(ground=ground)
        facts = cars.take(batch({1000 + t: [(1, 0.2, y)] for t in range(60)}))
        return [f.more["at_begin"].get("S0", 0.0) for f in facts if f.kind == "lanes"][-1]

    assert (first(0.45, None), first(0.85, None), first(0.85, ground), first(0.95, ground)) == (1, 0, 1, 0)


def test_who_stands_on_green_for_minutes_is_in_the_way_and_keeps_his_name_when_the_track_breaks():
    lit = watch()
    lit.signal("G", "green", 990 * NS)
    rows = {1000 + t: [(1 if t < 100 else 2, 0.2, 0.5)] for t in range(240)}
    told = lit.take(batch(rows))
    obstacles = [f for f in told if f.kind == "obstacle"]
    assert [f.more["track"] for f in obstacles] == [2]
    assert obstacles[0].more["began_ns"] == 1000 * NS
    assert lit.advance(1245 * NS)[-1].more["obstacles"] == 1


def test_a_head_of_a_queue_that_cannot_enter_is_blocked():
    lit = watch()
    lit.signal("G", "green", 1010 * NS)
    told = lit.take(batch({1000 + t: [(1, 0.2, 0.98)] for t in range(60)}))
    assert "S0" in {lane for f in told if f.kind == "lanes" for lane in f.more["blocked"]}


def test_a_view_that_moves_as_a_whole_is_told_and_a_queue_is_not():
    rng = np.random.default_rng(1)

    def street(minutes, begin, right=0.0, queue=False):
        rows = {}
        for t in range(minutes * 60):
            y = rng.uniform(0.1, 0.9, 6) if not queue else rng.uniform(0.6, 0.9, 6)
            x = rng.choice((0.2, 0.4, 0.7), 6) + 0.1 * y + right
            rows[begin + t] = [(i, float(a), float(b)) for i, (a, b) in enumerate(zip(x, y, strict=True))]
        return rows

    aside, queue = watch(), watch()
    usual = street(25, 60_000)
    told = aside.take(batch(usual | street(20, 61_500, right=0.08) | street(20, 62_700)))
    assert [f.kind for f in told if f.kind in ("moved", "settled")] == ["moved", "settled"]
    shift = next(f for f in told if f.kind == "moved").more["shift"]
    assert abs(shift[0] - 0.08) < 0.02
    told = queue.take(batch(usual | street(30, 61_500, queue=True)))
    assert not [f for f in told if f.kind in ("moved", "settled")]


def test_a_camera_that_is_pushed_is_no_crash_of_all_that_stand():
    def told(jump):
        lit = watch()
        lit.signal("G", "green", 990 * NS)
        stops = {1: 0.6, 2: 0.5, 3: 0.3}
        rows = {1000 + t: [(n, 0.2, y) for n, y in stops.items()] for t in range(20)}
        passing = {
            t: [(90 + i, 0.35, 0.1 * (t - b)) for i, b in enumerate((30, 36, 42)) if 1 <= t - b < 9] for t in range(60)
        }
        for t in range(20, 60):
            rows[1000 + t] = [(n, 0.2 + jump, y + jump) for n, y in stops.items()] + passing[t]
        return [f for f in lit.take(batch(rows)) if f.kind == "impact"]

    assert told(0.15) == told(0.0) == []


def test_who_stands_is_counted_once_however_often_he_is_found_again():
    cars = watch()
    rows = {1000 + t: [(1 + t // 3, 0.2, 0.5), (70, 0.35, 0.05 + 0.01 * t)] for t in range(90)}
    told = [f for f in cars.take(batch(rows)) if f.kind == "lanes"]
    assert sum(sum(f.more["counts"].values()) for f in told) == 1  # who drives
    assert all(f.more["at_begin"].get("S0", 0.0) == 0.0 or f.more["lanes"]["S0"][1] > 0 for f in told)


def test_cuts_and_bundling_change_nothing():
    rng = np.random.default_rng(3)
    rows = {1000 + t / 2: [(int(t // 9), 0.3, float(rng.uniform(0, 1)))] for t in range(200)}
    whole = watch(frames=False).take(batch(rows))
    part, told, times = watch(frames=False), [], sorted(rows)
    for i in range(0, len(times), 7):
        told += part.take(batch({t: rows[t] for t in times[i : i + 7]}))
        state, part = part.snapshot(), watch(frames=False)
        part.restore(state)
        told += part.advance(round(times[min(i + 6, len(times) - 1)] * NS))
    assert told == whole
