"""Feeds about what has happened: one line dated ahead makes no honest line late, and no honest line is lost for it."""

import json

import pytest

from smartstream.ingest.ahead import AheadGuard
from smartstream.ingest.approval_lines import ApprovalLines
from smartstream.ingest.indicator_lines import IndicatorLines
from smartstream.ingest.lines import file_source
from smartstream.ingest.media_lines import MediaLines
from smartstream.ingest.report_lines import ReportLines
from smartstream.ingest.sensor_lines import SensorLines
from smartstream.model.items import DeadLetter
from smartstream.model.time import MAX_NS, NS
from smartstream.testing.feeds import read_all

H = 3600 * NS


def guard(state=None, told=lambda: MAX_NS):
    rest = {"voice": lambda said: said[0], "told": told, "state": state}
    return AheadGuard(step_ns=H, jump_ns=700 * H, lateness_ns=300 * NS, **rest)


def decide(lines, *, cut=False):
    """(hours, voice) of lines as they are believed, and of those that are not."""
    one, decided = guard(), []
    for hours, who in lines:
        decided += one.push(round(hours * H), (who, hours))
        if cut:
            one = guard(one.snapshot())
    decided += one.end()
    assert sorted(said for _, _, said in decided) == sorted((who, hours) for hours, who in lines), "each once"
    return [said[1] for ok, _, said in decided if ok], [said[1] for ok, _, said in decided if not ok]


FLOW = [(10 + i / 100, f"v{i}") for i in range(100)]


@pytest.mark.parametrize(
    ("lines", "believed", "refused"),
    [
        ([(10, "a")], [10], []),
        ([*FLOW[:30], (300, "x"), *FLOW[30:]], [h for h, _ in FLOW], [300]),  # tomorrow week
        ([(300, "x"), *FLOW], [h for h, _ in FLOW], [300]),  # the very first line
        ([*FLOW[:30], (300, "x"), (300, "x"), *FLOW[30:]], [h for h, _ in FLOW], [300, 300]),  # and sent twice
        ([(h, f"v{h}") for h in range(0, 400, 5)], list(range(0, 400, 5)), []),  # a feed that speaks seldom
        ([(h, "a") for h in range(0, 4000, 500)], list(range(0, 4000, 500)), []),  # and in which one alone speaks
        ([(0, "a"), (10, "b"), (5, "late"), (10.1, "c")], [0, 5, 10, 10.1], []),  # the first of a morning, a late one
        ([(0, "a"), (10, "b"), (0.2, "late"), (10.1, "c")], [0, 0.2, 10, 10.1], []),
        ([(0, "a"), (10, "b"), (0.2, "late")], [0, 0.2, 10], []),
        ([(0, "a"), (0.1, "b"), (9000, "x")], [0, 0.1], [9000]),  # the last line, a year ahead
        ([(0, "a"), (0.1, "b"), (3, "x"), *((h / 10, f"v{h}") for h in range(2, 40))],
         [*(h / 10 for h in range(21)), 3, *(h / 10 for h in range(21, 40))], []),  # its time comes
    ],
)  # fmt: skip
def test_what_is_dated_ahead_waits_for_another_that_has_come_as_far(lines, believed, refused):
    assert decide(lines) == (believed, refused)
    assert decide(lines, cut=True) == (believed, refused)


def test_who_has_been_contradicted_bears_himself_out_no_more():
    wrong = [(300 + i / 10, "x") for i in range(20)]
    mixed = [line for pair in zip(FLOW, wrong, strict=False) for line in pair] + FLOW[20:]
    assert decide(mixed) == ([h for h, _ in FLOW], [h for h, _ in wrong])


def voices(lines):
    """Refused instants of (voice, instant) lines."""
    guard = AheadGuard(step_ns=H, jump_ns=6 * H, lateness_ns=600 * NS, voice=lambda line: line[0])
    decided = [x for line in lines for x in guard.push(line[1], line)] + list(guard.end())
    assert sorted(line for _, _, line in decided) == sorted(lines)
    return [line for ok, _, line in decided if not ok]


def test_a_device_with_a_wrong_clock_is_no_witness_of_itself():
    honest = [(who, 10 * H + i * NS) for i in range(4) for who in "ab"]
    wrong = [("a", 20_000 * H + i) for i in range(10)]  # years ahead, ten quantities at a time
    assert voices([*honest, *wrong, ("b", 10 * H + 9 * NS)]) == wrong


def test_after_a_long_pause_the_first_voice_waits_for_the_second_and_loses_nothing():
    honest = [("a", 10 * H), ("b", 10 * H)]
    assert voices([*honest, *(("a", 90 * H + i) for i in range(30)), ("b", 90 * H)]) == []
    assert voices([*honest, *(("a", 90 * H + i) for i in range(200))]) == []  # the other one is dead


def test_the_log_of_a_live_feed_knows_what_time_it_is():
    now_ns = 10 * H
    one = guard(told=lambda: now_ns)
    assert [line for _, _, line in one.push(10 * H, ("a", 10))] == [("a", 10)]  # nobody has to bear it out
    now_ns = 19 * H
    assert [line for _, _, line in one.push(19 * H, ("b", 19))] == [("b", 19)]
    assert [*one.push(40 * H, ("x", 40)), *one.pause()] == []  # nor does any silence
    now_ns = MAX_NS
    assert [line for _, _, line in one.push(20 * H, ("c", 20))] == [("c", 20)]
    assert one.last_ns == 20 * H


def test_a_silence_makes_nobody_a_liar():
    one = guard()
    believed = [line for at in (10, 90, 200) for ok, _, line in [*one.push(at * H, ("a", at)), *one.pause()] if ok]
    assert believed == [("a", 10), ("a", 90), ("a", 200)]


T0 = 1_790_000_000
AHEAD = 6 * 86_400
FEEDS = {
    "reports": (
        lambda source: ReportLines(source, site="s"),
        lambda i: {"report": f"r{i}", "service_code": "flood", "description": "ngập"},
    ),
    "sensors": (SensorLines, lambda i: {"sensor": f"s{i}", "kind": "pm25", "unit": "µg/m³", "value": 20}),
    "media": (MediaLines, lambda i: {"media": f"m{i}", "source": "press", "title": "Ngập"}),
    "indicators": (IndicatorLines, lambda i: {"indicator": "a.b", "area": f"x{i}", "value": i, "unit": "u"}),
    "approvals": (ApprovalLines, lambda i: {"warning": f"w{i}", "decision": "approve", "by": f"p{i % 3}"}),
}


@pytest.mark.parametrize("name", FEEDS)
def test_one_line_of_next_week_makes_no_other_late(tmp_path, name):
    opened, said = FEEDS[name]
    lines = [{"time": T0 + 60 * i, **said(i)} for i in range(100)]
    lines[9]["time"] = T0 + {"sensors": 4 * 3600, "media": AHEAD, "approvals": AHEAD}.get(name, 40 * AHEAD)
    path = tmp_path / "f.ndjson"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    feed = opened(file_source("f", path, lateness_ns=300 * NS))
    assert [(i.reason, i.place) for i in read_all(feed) if isinstance(i, DeadLetter)] == [("absurd_time", "line 10")]
    assert feed.position_ns == (T0 + 60 * 99) * NS
