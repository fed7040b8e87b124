"""Scores of joins: one to one, what was taken back or could not be seen counts neither way, pairs for clusters."""

import json

import pytest

from smartstream.errors import InvalidInputError
from smartstream.score_joins import is_city, score_cities

T0 = 1_790_000_000


def incident(join, kind, key, at, verb="opened", **more):
    since = f"2026-09-21T14:{13 + (at + 20) // 60:02d}:{(at + 20) % 60:02d}.000Z"
    data = {"join": join, "key": key, "junction": None, "since": since, "incident": f"{key}@{at}", "revision": 0}
    return {"id": f"{join}/{key}/{at}", "type": f"vn.ioc.incident.{kind}.{verb}.v1", "time": since, "data": data | more}


def entry(key, begin, end, **more):
    return {"keys": [key], "begin": T0 + begin, "end": T0 + end, **more}


def scored(tmp_path, joins, events, *, reports=None, tracks=None):
    truth = {"scenario": "city", "joins": joins, "reports": reports or {}, "tracks": tracks or {}}
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    (tmp_path / "events").write_text("".join(json.dumps(e) + "\n" for e in events))
    assert is_city(tmp_path / "truth.json")
    return score_cities([(tmp_path / "truth.json", tmp_path / "events")])


def test_one_to_one_and_what_nobody_could_see_counts_neither_way(tmp_path):
    entries = {"true": [entry("wl-1", 0, 600), entry("wl-2", 0, 600)], "ignore": [entry("wl-3", 0, 600)]}
    events = [
        incident("J-02", "flood", "wl-1", 300),
        incident("J-02", "flood", "wl-1", 400),  # twice told
        incident("J-02", "flood", "wl-3", 300),  # its gauge was silent for a while
        incident("J-02", "flood", "wl-4", 300),
    ]
    sums = scored(tmp_path, {"J-02": entries}, events)["J-02"]
    assert (sums.true, sums.found, sums.hit) == (2, 3, 1)
    assert [e["keys"] for e in sums.missed] == [["wl-2"]]


def test_what_was_retracted_was_not_found(tmp_path):
    told = incident("J-01", "crash", "j1", 60, junction="j1")
    back = incident("J-01", "crash", "j1", 60, "retracted", junction="j1", retracts=told["id"])
    sums = scored(tmp_path, {"J-01": {"true": [], "ignore": []}}, [told, back])["J-01"]
    assert (sums.true, sums.found, sums.precision, sums.recall) == (0, 0, None, None)


def test_clusters_and_cases_by_pairs(tmp_path):
    def cluster(revision, members):
        data = {"cluster": "c", "revision": revision, "members": members}
        return {"id": f"c{revision}", "type": "vn.ioc.report.cluster.updated.v1", "data": data}

    def verdict(name, track, second):
        data = {"track": track, "junction": "j1"}
        time = f"2026-09-21T14:20:{second:02d}.000Z"
        return {"id": name, "type": "vn.ioc.violation.red_light.suspected.v1", "time": time, "data": data}

    case = incident("J-27", "repeated_verdict", "j1/a/0/1", 60, primary="v1", duplicates=["v2", "v3"])
    events = [cluster(0, ["r1", "r2"]), cluster(1, ["r1", "r2", "r9"]), case]
    events += [verdict("v1", "a/0/1", 1), verdict("v2", "b/0/7", 2), verdict("v3", "b/0/8", 2)]
    none = {"true": [], "ignore": []}
    sums = scored(
        tmp_path,
        {"J-12": none, "J-27": none},
        events,
        reports={"r1": "fire", "r2": "fire", "r3": "fire", "r9": "flood"},
        tracks={"a": {"1": "car-1"}, "b": {"7": "car-1", "8": "car-2"}},
    )
    assert (sums["J-12"].true, sums["J-12"].found, sums["J-12"].hit) == (3, 3, 1)
    assert (sums["J-27"].true, sums["J-27"].found, sums["J-27"].hit) == (1, 3, 1)


def test_a_file_that_is_no_truth_is_named(tmp_path):
    (tmp_path / "truth.json").write_text("[]")
    with pytest.raises(InvalidInputError, match=r"truth\.json"):
        score_cities([(tmp_path / "truth.json", tmp_path / "missing")])
