import json
from datetime import date
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner

from smartstream.cli.law import law
from smartstream.errors import ConfigError, InvalidInputError
from smartstream.model.time import parse_instant
from smartstream.rules.law import differences, load_law

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")


def clauses(kind, cls, day=date(2026, 8, 14), **more):
    return [c["clause"] for c in load_law().on(day).candidates(kind, cls, **more)]


@pytest.mark.parametrize(
    ("kind", "cls", "expected"),
    [
        ("red_light", "car", ["6.9.b"]),
        ("red_light", "bus", ["6.9.b"]),
        ("red_light", "motorcycle", ["7.7.c"]),
        ("red_light", "bicycle", ["9.2.đ"]),
        ("red_light", "unknown", []),
        ("stop_line", "pedestrian", []),
        ("wrong_way", "motorcycle", ["7.7.a"]),
        ("lane_arrow", "car", ["6.1.a", "6.5.b"]),
        ("fail_to_yield_pedestrian", "car", ["6.5.l"]),
    ],
)
def test_candidates_by_class(kind, cls, expected):
    assert clauses(kind, cls) == expected


@pytest.mark.parametrize(
    ("over", "expected"),
    [
        (4.9, []),
        (5, ["6.3.a"]),
        (9.99, ["6.3.a"]),
        (10, ["6.5.đ"]),
        (20, ["6.5.đ"]),
        (20.1, ["6.6.a"]),
        (35.1, ["6.7.a"]),
    ],
)
def test_speed_rows_meet_without_gap_or_overlap(over, expected):
    assert clauses("speeding", "car", over_kmh=over) == expected


def test_the_amendment_changes_exactly_its_rows():
    book = load_law()
    changed = differences(book.on(date(2026, 8, 14)), book.on(date(2026, 8, 15)))
    assert [code for code, _, _ in changed] == ["LANE_CHANGE", "BANNED_ROAD", "PLATE_OBSCURED", "LOAD_SPILL"]
    for _, before, after in changed:
        assert before.clauses == after.clauses, "the amendment rewords these acts; their fines stay"


def test_the_day_is_the_junctions_own_and_a_lasting_act_is_judged_at_detection():
    book = load_law()
    start, end = parse_instant("2026-08-14T23:50:00+07:00"), parse_instant("2026-08-15T00:10:00+07:00")
    assert book.judging("red_light", at_ns=start, until_ns=end, zone=ZONE).id == "vn-nd168-2024"
    assert book.judging("illegal_stop", at_ns=start, until_ns=end, zone=ZONE).id == "vn-nd238-2026"
    assert book.judging("red_light", at_ns=parse_instant("2024-12-31T16:59:59Z"), until_ns=None, zone=ZONE) is None
    assert book.judging("red_light", at_ns=parse_instant("2024-12-31T17:00:00Z"), until_ns=None, zone=ZONE) is not None


def test_every_clause_carries_its_mark():
    for pack in load_law().packs:
        assert all(clause.mark in "VSM" for act in pack.acts.values() for clause in act.clauses)


def test_a_broken_pack_is_refused_with_its_place(tmp_path):
    (tmp_path / "x.toml").write_text('id = "x"\ntitle = "x"\nin_force = 2025-01-01\nsource = "x"\nact = [{code = 3}]\n')
    with pytest.raises(ConfigError, match=r"x\.toml.*act\[0\]\.code"):
        load_law(tmp_path)


@pytest.mark.parametrize(
    "line",
    [
        "[" * 100_000,
        "[1]",
        '{"id":"1","type":"a.b.violation.c.suspected.v1","data":[]}',
        '{"id":"1","type":"a.b.violation.c.suspected.v1","data":{"clauses":[5]}}',
    ],
)
def test_reassess_names_the_line_that_is_no_event_and_judges_the_others(line, tmp_path):
    good = {"id": "1", "type": "vn.ioc.violation.red_light.suspected.v1", "data": {"class": "car", "clauses": []}}
    (tmp_path / "events").write_text(f"{line}\n{json.dumps(good)}\n")
    done = CliRunner().invoke(law, ["reassess", str(tmp_path / "events"), "--as-of", "2026-08-15"])
    assert isinstance(done.exception, InvalidInputError)
    assert "1 lines are no events" in str(done.exception)
    assert "events, line 1: expected an event" in done.stderr
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == ["1"]


def test_reassess_names_only_what_changes(tmp_path):
    pack = load_law().on(date(2026, 8, 14))
    banned = pack.candidates("banned_class", "truck")
    stored = [
        {"id": "1", "type": "vn.ioc.violation.red_light.suspected.v1", "data": {"class": "car", "clauses": []}},
        {
            "id": "2",
            "type": "vn.ioc.violation.banned_class.suspected.v1",
            "data": {"class": "truck", "clauses": banned},
        },
        {"id": "3", "type": "vn.ioc.traffic.crossing.observed.v1", "data": {"class": "car"}},
        {"id": "4", "type": "vn.ioc.violation.red_light.retracted.v1", "data": {"retracts": "5"}},
        {"id": "5", "type": "vn.ioc.violation.red_light.suspected.v1", "data": {"class": "car", "clauses": []}},
    ]
    path = tmp_path / "events"
    path.write_text("\n".join(map(json.dumps, stored)) + "\n")
    done = CliRunner().invoke(law, ["reassess", str(path), "--as-of", "2026-08-15"])
    assert done.exit_code == 0
    assert "1 of 2 verdicts change" in done.stderr
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == ["1"]
