"""Stories of stations: lines in, events out, in every order and with every cut."""

import json
import random

import pytest
from station_lines import City, as_set, at, line, open_feed, run, run_lines, write

EXAMPLE = [26.9, 24.7, 20.5, 23.5, 19.5, 16.5, 19.0, 16.5, 20.3, 22.4, 19.6, 20.6]


def reasons(city):
    inside = [e.data["reason"] for e in city.events if ".dlq." in e.type]
    return sorted([d.reason for d in city.dead] + inside)


def test_the_decision_s_example_as_a_stream(tmp_path):
    lines = [line(at(8 + i, 30), value, lat=21.61, lon=105.84) for i, value in enumerate(EXAMPLE)]
    lines += [line(at(19, 31), 136.1, sensor="s2", kind="o3"), line(at(19, 32), 118.7, sensor="s3", kind="no2")]
    city = run_lines(tmp_path, lines)
    last = city.of("air.aqi.updated")[-1].data
    assert last["at"] == "2026-09-21T12:00:00.000Z"  # 19:00 in Viet Nam
    assert (last["aqi"], last["dominant"], last["sub"]) == (59, "no2", {"pm25": 41, "o3": 43, "no2": 59})
    assert (last["station"], last["period"], last["level"], last["revision"]) == ("aq-1", "hour", "Trung bình", 0)
    assert last["position"] == {"lat": 21.61, "lon": 105.84}
    assert last["levels"]["pm25"] == pytest.approx(20.266)
    assert "VN_AQI 59 (Trung bình)" in last["text"]
    assert "19:00 ngày 21/09/2026" in last["text"]
    assert city.of("air.aqi.updated")[-1].time == "2026-09-21T13:00:00.000Z"
    assert reasons(city) == []


def test_an_hour_waits_for_its_lines_and_no_longer(tmp_path):
    lines = [line(at(0, 5 * i), 20) for i in range(12)] + [line(at(1, 5 * i), 20) for i in range(12)]
    late_by_nine = line(at(1, 57), 80)
    city = run_lines(tmp_path, [*lines, line(at(2, 6), 20), late_by_nine, line(at(2, 30), 20)])
    means = [e.data for e in city.of("env.pm25.updated")]
    assert [(m["value"], m["revision"]) for m in means] == [(20.0, 0), (pytest.approx(24.615), 0), (20.0, 0)]


def test_a_late_line_restates_every_hour_it_changes(tmp_path):
    early = [line(at(h, m), 20) for h in range(6) for m in (0, 20, 40)]
    late = line(at(2, 30), 120)
    city = run_lines(tmp_path, [*early, line(at(6, 15), 20), late, line(at(8, 30), 20)])
    restated = [e.data for e in city.of("air.aqi.updated") if e.data["revision"] == 1]
    assert [d["at"][11:13] for d in restated] == ["19", "20", "21", "22"]  # hour 2 (UTC 19) to hour 5
    assert city.of("env.pm25.updated")[-1].data["revision"] == 0
    right = run_lines(tmp_path, sorted([*early, line(at(6, 15), 20), late, line(at(8, 30), 20)]))
    for key, data in right.standing().items():
        assert {**city.standing()[key], "revision": 0} == {**data, "revision": 0}
    assert reasons(city) == []


def test_a_line_later_than_a_day_is_a_dead_letter(tmp_path):
    city = run_lines(tmp_path, [line(at(h), 20) for h in range(30)] + [line(at(4, 30), 99), line(at(29, 5), 20)])
    assert reasons(city) == ["late"]
    assert city.dead[0].place == "line 31"


def test_the_same_line_twice_counts_once(tmp_path):
    lines = [line(at(h, m), 20 + m) for h in range(3) for m in (0, 30)]
    once = run_lines(tmp_path, lines)
    twice = run_lines(tmp_path, [text for text in lines for _ in range(2)])
    assert as_set(once) == as_set(twice, dead=False)
    assert reasons(twice) == ["duplicate"] * len(lines)
    again = run_lines(tmp_path, [*lines, line(at(5), 20), line(at(0), 20), line(at(5, 1), 20)])
    assert reasons(again) == ["duplicate"]  # also when its hour is settled


def test_the_day_of_viet_nam(tmp_path):
    lines = [line(at(h, 30), 55.7) for h in range(24)] + [line(at(h, 31), 60 if h else 130.8, sensor="s3", kind="no2")
                                                          for h in range(24)]  # fmt: skip
    city = run_lines(tmp_path, [*lines, line(at(24, 30), 10), line(at(25, 30), 10)])
    (day,) = [e.data for e in city.of("air.aqi.updated") if e.data["period"] == "day"]
    assert (day["at"], day["aqi"], day["sub"]) == ("2026-09-20T17:00:00.000Z", 110, {"pm25": 110, "no2": 65})
    assert "ngày 21/09/2026" in day["text"]


def test_status_other_than_measuring_never_counts(tmp_path):
    lines = [line(at(h, m), 20) for h in range(3) for m in (0, 30)]
    spoiled = [line(at(h, 45), 900, status=("calibrating", "ngủ")[h % 2]) for h in range(3)]
    city = run_lines(tmp_path, sorted(lines + spoiled))
    assert {k: v["aqi"] for k, v in city.standing().items()} == {
        k: v["aqi"] for k, v in run_lines(tmp_path, lines).standing().items()
    }
    assert [(e.data["flag"], e.type.split(".")[-2]) for e in city.events if "quality" in e.type] == [
        ("status", "opened"), ("status", "closed"), ("status", "opened"), ("status", "closed"), ("status", "opened"),
    ]  # fmt: skip


def test_a_spike_is_left_out_and_a_rise_is_not(tmp_path):
    calm = dict.fromkeys(range(0, 60, 5), 20.0)
    spike = run_lines(tmp_path, [line(at(0, m), 900 if m == 30 else v) for m, v in calm.items()])
    assert spike.of("env.pm25.updated")[0].data["value"] == 20.0
    assert [e.data["flag"] for e in spike.of("env.quality.opened")] == ["spike"]
    rise = run_lines(tmp_path, [line(at(0, m), 900 if m >= 30 else v) for m, v in calm.items()])
    data = rise.of("env.pm25.updated")[0].data
    assert data["readings"] == 10  # the two that were doubted until the third confirmed them
    assert data["value"] == pytest.approx((6 * 20 + 4 * 900) / 10)


def test_a_sensor_that_never_moves_is_not_believed_for_ever(tmp_path):
    city = run_lines(tmp_path, [line(at(h, m), 33.3) for h in range(12) for m in range(0, 60, 10)])
    (stuck,) = city.of("env.quality.opened")
    assert (stuck.data["flag"], stuck.time) == ("stuck", "2026-09-20T23:00:00.000Z")
    hourly = run_lines(tmp_path, [line(at(h), 33.3) for h in range(24)])
    assert hourly.of("env.quality.opened") == []  # one reading an hour says nothing about its sensor


def test_units_are_converted(tmp_path):
    lines = [line(at(h, 30), 20) for h in range(3)]
    lines += [
        line(at(2, 31), 50, sensor="s2", kind="o3", unit="ppb"),
        line(at(2, 32), 1.2, sensor="s3", kind="co", unit="mg/Nm3"),
    ]
    levels = run_lines(tmp_path, lines).of("air.aqi.updated")[-1].data["levels"]
    assert levels["o3"] == pytest.approx(50 * 47.998 / 24.465, abs=1e-3)
    assert levels["co"] == 1200.0


def test_rain_adds_up_and_noise_by_its_energy(tmp_path):
    lines = [line(at(0, m), 1.5, sensor="r", kind="rain", unit="mm") for m in (0, 20, 40)]
    lines += [line(at(0, m), v, sensor="n", kind="noise", unit="dB(A)") for m, v in ((1, 60), (21, 60), (41, 70))]
    lines += [line(at(0, m), v, sensor="w", kind="wind_direction", unit="°") for m, v in ((2, 350), (22, 10))]
    city = run_lines(tmp_path, sorted(lines))
    told = {e.data["kind"]: (e.data["statistic"], e.data["value"], e.data["unit"]) for e in city.events}
    assert told == {"rain": ("sum", 4.5, "mm"), "noise": ("leq", pytest.approx(66.021, abs=1e-3), "dBA")}


def test_limits_of_the_day_they_are_measured(tmp_path):
    def day(first, values):
        return [json.dumps({"time": f"{first}T{h:02d}:30:00+07:00", "sensor": "s", "kind": "pm25", "unit": "µg/m³",
                            "value": v}) for h, v in enumerate(values)]  # fmt: skip

    before = run_lines(tmp_path, day("2025-12-31", [47] * 24))
    assert before.of("air.exceedance.opened") == []
    after = run_lines(tmp_path, day("2026-01-01", [47] * 24) + day("2026-01-02", [30] * 24))
    (opened,), (closed,) = after.of("air.exceedance.opened"), after.of("air.exceedance.closed")
    assert (opened.data["limit"], opened.data["value"], opened.data["document"]) == (45, 47.0, "QCVN 05:2023/BTNMT")
    assert closed.data["since"] == opened.data["at"]
    assert "trung bình 24 giờ tại trạm s vượt giới hạn" in opened.data["text"]


def test_an_exceedance_that_late_lines_refute_is_taken_back(tmp_path):
    lines = [line(at(h, 30), 20, sensor="s1") for h in range(4)]
    lines += [line(at(h, 31), 250 if h == 1 else 50, sensor="s2", kind="no2") for h in range(4)]
    lines += [line(at(4, 10), 20), line(at(1, 40), 10, sensor="s2", kind="no2"), line(at(5, 30), 20)]
    city = run_lines(tmp_path, lines)
    turns = [
        (e.type.split(".")[-2], e.data["revision"], "retracts" in e.data) for e in city.events if "exceed" in e.type
    ]
    assert turns == [("opened", 0, False), ("closed", 0, False), ("closed", 1, True), ("opened", 1, True)]
    taken_back = [e.data["retracts"] for e in city.events if "retracts" in e.data]
    assert taken_back == [e.id for e in city.events if "exceed" in e.type][:2]


def noisy_city(seed, hours=30, stations=3):
    """Minutes of several stations with every kind of trouble; (event time in minutes, line)."""
    rng = random.Random(seed)
    lines = []
    for s in range(stations):
        for kind in ("pm25", "pm10", "no2", "o3"):
            level = rng.uniform(10, 150)
            for minute in range(0, hours * 60, 10):
                level = max(0.0, level + rng.gauss(0, 6))
                if rng.random() < 0.1 or (minute // 60) % 17 == 3:
                    continue
                value = round(level * (30 if rng.random() < 0.01 else 1), 1)
                status = "fault" if rng.random() < 0.02 else "measuring"
                text = line(at(0, minute), value, sensor=f"q{s}-{kind}", station=f"q{s}", kind=kind, status=status)
                lines.append((minute, text))
    return sorted(lines)


@pytest.mark.parametrize("seed", range(3))
def test_order_within_lateness_and_cuts_anywhere_change_nothing(tmp_path, seed):
    rng = random.Random(100 + seed)
    lines = noisy_city(seed)
    straight = run_lines(tmp_path, [text for _, text in lines])
    assert len(straight.of("air.aqi.updated")) > 60
    shuffled = [text for _, text in sorted(lines, key=lambda entry: entry[0] + rng.uniform(0, 9.9))]
    assert as_set(run_lines(tmp_path, shuffled)) == as_set(straight)
    assert as_set(run_lines(tmp_path, [text for _, text in lines], cut=True)) == as_set(straight)


def test_cut_at_every_line_with_late_ones_among_them(tmp_path):
    rng = random.Random(7)
    lines = [
        text
        for _, text in sorted(noisy_city(9, hours=16, stations=1), key=lambda e: e[0] + 200 * (rng.random() < 0.05))
    ]
    straight = run_lines(tmp_path, lines)
    assert any(e.data["revision"] > 0 for e in straight.of("air.aqi.updated"))
    cut = run_lines(tmp_path, lines, cut=True, turn_lines=1)
    assert [e.to_json() for e in cut.events] == [e.to_json() for e in straight.events]


def test_feeds_meet_in_the_same_order_whoever_is_read_first(tmp_path):
    lines = noisy_city(3, hours=10)
    files = [write(tmp_path / f"{s}.ndjson", [t for _, t in lines if f'"q{s}"' in t]) for s in range(3)]
    # One more feed brings a kind of the first station, and late lines.
    extra = [line(at(h, 15), 40 + h, sensor="x-so2", station="q0", kind="so2") for h in range(10)]
    files.append(write(tmp_path / "3.ndjson", [*extra[:2], *extra[5:], *extra[2:5]]))

    def together(order):
        sides = [f"sensors/{i}" for i in range(4)]
        city, feeds = City(sides), [open_feed(path, side) for path, side in zip(files, sides, strict=True)]
        for i in order:
            city.take(feeds[i].read())
        for feed in feeds:
            while not feed.ended:
                city.take(feed.read())
        return city

    rng = random.Random(5)
    first = together([])
    assert first.of("air.aqi.updated")
    for _ in range(4):
        assert as_set(together(rng.choices(range(4), k=12))) == as_set(first)


def test_state_does_not_grow_with_time(tmp_path):
    sizes = []
    for days in (4, 8):
        lines = [line(at(h, m), 20 + (h * 7 + m) % 30) for h in range(24 * days) for m in range(0, 60, 10)]
        path = write(tmp_path / f"{days}.ndjson", lines)
        city, feed = City(), open_feed(path)
        while not feed.ended:
            city.take(feed.read())
        sizes.append(len(repr(city.stations["aq-1"].snapshot())))
    assert sizes[1] < sizes[0] * 1.1


def test_a_silent_month_is_skipped(tmp_path):
    before = [line(at(h, 30), 20) for h in range(5)]
    after = [line(at(24 * 31 + h, 30), 20) for h in range(5)]
    hours = [d["at"] for d in (e.data for e in run_lines(tmp_path, before + after).of("air.aqi.updated"))]
    # Hours 1-5: the fifth is followed by one that two of its last three hours still carry.
    assert [h[:13] for h in hours] == [
        "2026-09-20T18", "2026-09-20T19", "2026-09-20T20", "2026-09-20T21", "2026-09-20T22",
        "2026-10-21T18", "2026-10-21T19", "2026-10-21T20", "2026-10-21T21",
    ]  # fmt: skip


def test_every_line_is_a_reading_or_a_dead_letter(tmp_path):
    good = [line(at(0, m), 20) for m in range(0, 60, 10)]
    bad = {
        "{broken": "broken_json",
        "[]": "bad_field",
        line(at(0, 5), "x"): "bad_field",
        line(at(0, 6), 5, kind="happiness"): "unknown_kind",
        line(at(0, 7), 5, unit="furlong"): "unknown_unit",
        line("2026-09-21T01:00:00", 5): "bad_time",
        line(at(0, 9), 5, station="elsewhere"): "conflict",
        line(at(0, 9), 5, lat=1e9, lon=5): "bad_position",
        json.dumps({"time": at(0, 9), "sensor": "new", "value": 3}): "unregistered",
        json.dumps({"time": at(0, 9), "sensor": "", "value": 3, "kind": "pm25", "unit": "µg/m³"}): "bad_field",
        json.dumps({"time": at(9000), "sensor": "s1", "value": 3}): "absurd_time",
        json.dumps({"time": at(0, 9), "sensor": "s1"}): "bad_field",
        json.dumps({"time": at(0, 9), "sensor": "s1", "value": float("nan")}): "broken_json",
    }  # fmt: skip
    short = json.dumps({"time": at(0, 55), "sensor": "s1", "value": 20})  # registered: the rest is known
    path = write(tmp_path / "s.ndjson", [*good[:3], *bad, *good[3:], short])
    city = run(path)
    assert reasons(city) == sorted(bad.values())
    assert city.of("env.pm25.updated")[0].data["readings"] == len(good) + 1


def test_a_lost_feed_lets_the_others_go_on(tmp_path):
    from smartstream.model.items import Mark
    from smartstream.model.time import MAX_NS

    city = City(["sensors/0", "sensors/1"])
    feed = open_feed(write(tmp_path / "s.ndjson", [line(at(h, 30), 20) for h in range(5)]))
    city.take(feed.read())
    assert not city.events
    turns, _ = city.arrivals.on_batch([Mark("sensors/1", MAX_NS)])
    assert [(station, len(turn.readings), turn.ended) for station, turn in turns] == [("aq-1", 5, True)]


def test_the_feed_says_where_it_is(tmp_path):
    feed = open_feed(write(tmp_path / "s.ndjson", [line(at(0), 1)]))
    assert (feed.items, feed.ended) == (0, False)
    feed.read()
    assert (feed.items, feed.ended, feed.read()) == (1, True, [])
