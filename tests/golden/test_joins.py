"""Every join: straight, cut and resumed at every item, its sides in any order, delayed: the same events."""

import json
import random
import sys
from pathlib import Path

import pytest

from smartstream.model.facts import Facts
from smartstream.model.items import DeadLetter
from smartstream.model.time import MAX_NS, NS
from smartstream.streams.joins.flood import Flood
from smartstream.streams.joins.report_evidence import ReportEvidence

sys.path.insert(0, str(Path(__file__).parent))
from join_stories import SEEN, STORIES, make, report, water

LATENESS_NS = 120 * NS


def items(side, facts, rng=None):
    """Facts as a source gives them: a turn at a time, each with its watermark; late ones with ``rng``."""
    delay = (lambda: rng.uniform(0, LATENESS_NS)) if rng else (lambda: 0)
    order = sorted(facts, key=lambda f: f.time_ns + delay())
    out, newest, told = [], 0, -1
    size = rng.randrange(1, 6) if rng else 3
    for i in range(0, len(order), size):
        turn = order[i : i + size]
        newest = max(newest, *(f.time_ns for f in turn))
        out.append(Facts(side, tuple(turn), told := max(told, newest - LATENESS_NS - 1)))
    return [*out, Facts(side, (), MAX_NS)]


def play(build, sides, *, seed=None, cut=False, pace=None):
    rng = random.Random(seed) if seed is not None else None
    join, out = build(), []
    left = {side: items(side, facts, rng) for side, facts in sides.items()}
    for side in sorted(join._sides.keys() - left.keys()):
        left[side] = [Facts(side, (), MAX_NS)]
    while any(left.values()):
        names = [name for name, turns in left.items() if turns]
        name = rng.choice(names) if rng else names[0]
        for _ in range((pace or {}).get(name, 1)):
            if left[name]:
                out += join.take(left[name].pop(0))
        if cut:
            state = join.snapshot()
            join = build()
            join.restore(state)
    assert not any(isinstance(one, DeadLetter) for one in out)
    return sorted(event.to_json().decode() for event in out)


def summary(events):
    told = [json.loads(event) for event in events if ".incident." in event]
    order = {"opened": 0, "updated": 1, "retracted": 2, "closed": 2}
    told.sort(
        key=lambda e: (e["data"]["since"], e["data"]["revision"], order[e["type"].split(".")[4]], e["data"]["key"])
    )
    return [(e["type"].split(".")[4], e["data"]["key"], e["data"]["revision"]) for e in told]


@pytest.fixture(params=STORIES, ids=lambda name: name.replace(" ", "_")[:50])
def story(request):
    return STORIES[request.param]


def test_straight(story):
    make, sides, expected = story
    events = play(make, sides)
    ids = [json.loads(event)["id"] for event in events]
    assert len(ids) == len(set(ids))
    if expected is not None:
        assert sorted(summary(events)) == sorted(expected), summary(events)


def test_cut_behind_every_item(story):
    make, sides, _ = story
    assert play(make, sides, cut=True) == play(make, sides)


@pytest.mark.parametrize("seed", range(4))
def test_delayed_and_reordered(story, seed):
    make, sides, _ = story
    assert play(make, sides, seed=seed, cut=seed == 3) == play(make, sides)


def test_one_side_ten_times_faster(story):
    """A replayed backlog on one side: nothing is lost and nothing is late."""
    make, sides, _ = story
    for fast in sides:
        assert play(make, sides, pace={fast: 10}, seed=9) == play(make, sides)


def test_an_opening_waits_only_for_the_sides_it_needs():
    for name in (
        "flood by a gauge; a spike alone opens nothing; reports and slow traffic update",
        "crash: possible by the camera, suspected with a report",
    ):
        make, sides, _ = STORIES[name]
        join = make()
        needed = {side for side, kind in join._sides.items() if kind in join.prompt}
        told = [one for side in needed for item in items(side, sides.get(side, [])) for one in join.take(item)]
        assert [event.type.split(".")[4] for event in told] == ["opened"]
        assert told[0].data["revision"] == 0


def test_retractions_name_what_they_take_back():
    make, sides, _ = STORIES["crash taken back: they drove off and nobody else spoke"]
    told = {e["type"].split(".")[4]: e for e in map(json.loads, play(make, sides))}
    assert told["retracted"]["data"]["retracts"] == told["opened"]["id"]


def test_findings_about_reports():
    make, sides, _ = STORIES["reports beside what cameras see: corroborated, contradicted, no coverage"]
    told = [e for e in map(json.loads, play(make, sides)) if ".opened." in e["type"]]
    found = {e["data"]["key"]: e["data"]["finding"] for e in told}
    assert found == {"seen": "corroborated", "not-so": "contradicted", "nobody": "no_coverage"}


def test_shares_of_a_spike():
    make, sides, _ = STORIES["air spike that goes with burning"]
    told = [e for e in map(json.loads, play(make, sides)) if ".updated." in e["type"]]
    assert told[-1]["data"]["attribution"] == "burning"
    assert sum(told[-1]["data"]["shares"].values()) == pytest.approx(1)


def test_a_case_keeps_the_graver_verdict():
    make, sides, _ = STORIES["one act under two rules, and seen by two cameras"]
    told = [e for e in map(json.loads, play(make, sides)) if ".closed." in e["type"]]
    assert told[0]["data"]["primary"] == "v2"
    assert sorted(told[0]["data"]["duplicates"]) == ["v1", "v3"]


def test_vehicles_are_conserved_at_the_gateways():
    make, sides, _ = STORIES["the city fills through its gateways"]
    told = [json.loads(event)["data"] for event in play(make, sides) if ".gateway_balance.updated." in event]
    windows = [data for data in told if "indicator" in data]
    into = sum(f.more["direction"] == "forward" for f in sides["verdicts"])
    assert sum(data["in"] for data in windows) == into
    assert sum(data["out"] for data in windows) == len(sides["verdicts"]) - into
    assert all(data["coverage"] == 1 for data in windows)
    opened = [e for e in summary(play(make, sides)) if e[0] == "opened"]
    assert len(opened) == 1


def test_armed_blind_and_unknown_seconds_add_up():
    make, sides, _ = STORIES["seconds in which a camera could judge, was blind, or did not know the signal"]
    told = [json.loads(event) for event in play(make, sides)]
    cameras = [e["data"] for e in told if ".camera.coverage." in e["type"]]
    for data in cameras:
        for sums in data["rules"].values():
            assert sum(sums.values()) == pytest.approx(data["of_s"], abs=0.01)
    whole = {
        rule: sum(d["rules"][rule][part] for d in cameras)
        for rule, part in (("red_light", "armed_s"), ("wrong_way", "armed_s"))
    }
    assert sum(d["rules"]["wrong_way"]["blind_s"] for d in cameras) == pytest.approx(300)
    assert whole["wrong_way"] - whole["red_light"] == pytest.approx(300, abs=20)  # the signal was not known
    stations = [e["data"] for e in told if ".env.coverage." in e["type"]]
    assert sum(d["blind_s"] for d in stations) == pytest.approx(1200 - 60, abs=61)
    assert all(d["armed_s"] + d["blind_s"] + d["unknown_s"] == pytest.approx(d["of_s"], abs=0.01) for d in stations)


def test_a_rule_is_not_armed_while_its_signals_are_not_believed_or_its_view_has_moved():
    name = "light rules were not armed while the signals were not believed, nor any rule while the view had moved"
    make, sides, _ = STORIES[name]
    told = [e["data"] for e in map(json.loads, play(make, sides)) if ".camera.coverage." in e["type"]]
    newest = {}
    for data in sorted(told, key=lambda data: data["revision"]):
        newest[data["camera"], data["at"]] = data
    assert max(data["revision"] for data in told) == 1  # the hour before the second fault was known
    unknown = {
        (camera, rule): sum(d["rules"][rule]["unknown_s"] for (c, _), d in newest.items() if c == camera)
        for camera, rule in (("cam", "red_light"), ("cam", "wrong_way"), ("cam-b", "wrong_way"))
    }
    assert unknown["cam", "red_light"] - unknown["cam", "wrong_way"] == pytest.approx(760 + 700)
    assert unknown["cam-b", "wrong_way"] - unknown["cam", "wrong_way"] == pytest.approx(1200)


def test_a_wave_makes_no_flood_deeper_and_bears_out_no_report():
    shallow = [0.2, 1.05, 1.06, 1.05, 2.5, 1.06, 1.05, 0.2, 0.2, 0.2, 0.2, 0.2]
    told = [json.loads(e)["data"] for e in play(make(Flood, alarm_m={"wl": 1.0}), {"gauges": water(shallow)})]
    assert {data["depth_m"] for data in told} == {0.05}
    dry = {"gauges": water([0.2, 0.2, 2.5, 0.2, 0.2, 0.2]), "reports": [report(700, "puddle", "flood")]}
    told = [json.loads(e)["data"] for e in play(make(ReportEvidence, **SEEN), dry) if ".opened." in e]
    assert [data["finding"] for data in told] == ["contradicted"]
