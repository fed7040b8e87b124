"""Floods of distinct names: four times the input is four times the work, counted in instructions and not in seconds."""

import json
import random
import sys

import pytest

from pipelines.media import MediaSpec, MediaStep
from pipelines.reports import DeskSpec, DeskStep
from pipelines.sectors import SectorSpec, SectorStep
from smartstream.ingest.indicator_lines import IndicatorLines
from smartstream.ingest.lines import file_source
from smartstream.ingest.media_lines import MediaLines
from smartstream.ingest.report_lines import ReportLines
from smartstream.model.time import NS
from smartstream.streams.coverage import Coverage
from smartstream.streams.media import Happening, MediaDesk

T0 = 1_790_000_000


def source(folder, lines):
    path = folder / f"{len(lines)}.ndjson"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file_source("i", path, lateness_ns=300 * NS)


def areas(folder, n):
    lines = [
        {"time": T0 + i, "indicator": "a.b", "area": f"x{i}", "value": i, "unit": "u", "every_s": 3600}
        for i in range(n)
    ]
    return IndicatorLines(source(folder, lines)), SectorStep(SectorSpec("s", ("i",), "Asia/Ho_Chi_Minh", 300 * NS))


def stories(folder, n):
    lines = [
        {"time": T0 + i, "media": f"m{i}", "source": f"s{i}", "url": "https://e.vn", "lang": "vi", "title": f"{i}",
         "text": f"Ngập {i * 7919} {i * 104729} {i * 31} {i * 17}"}
        for i in range(n)
    ]  # fmt: skip
    return MediaLines(source(folder, lines)), MediaStep(MediaSpec("s", ("i",), 300 * NS, None, "Asia/Ho_Chi_Minh"))


def copies(folder, n):
    text = "Đường ngập sâu ở phường Tân Long nhiều xe chết máy từ sáng sớm nay"
    lines = [
        {"time": T0 + i, "media": f"m{i}", "source": f"s{i}", "url": "https://e.vn", "lang": "vi", "title": "x",
         "text": text}
        for i in range(n)
    ]  # fmt: skip
    return MediaLines(source(folder, lines)), MediaStep(MediaSpec("s", ("i",), 300 * NS, None, "Asia/Ho_Chi_Minh"))


def scattered(folder, n):
    """Reports of a window far longer than the time between two: clusters end one by one while many are open."""
    lines = [
        {"time": T0 + i * 6 * 86_400 // n, "report": f"r{i}", "service_code": "garbage", "description": "x",
         "lat": 10 + i * 8 / n, "lon": 105.8}
        for i in range(n)
    ]  # fmt: skip
    desk = DeskStep(DeskSpec("s", ("i",), "Asia/Ho_Chi_Minh", 300 * NS, None))
    return ReportLines(source(folder, lines), site="s"), desk


def told(feed, step):
    events = []
    while not feed.ended:
        events += step.on_batch(feed.read())[0]
    return events


def instructions(work):
    """How many bytecodes it takes."""
    count = 0

    def trace(frame, event, _):
        nonlocal count
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        count += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("flood", [areas, stories, copies, scattered])
def test_four_times_the_names_are_four_times_the_work(tmp_path, flood):
    few, many = (instructions(lambda n=n: told(*flood(tmp_path, n))) for n in (250, 1000))
    assert many < 5 * few


def test_an_event_names_a_bounded_number_of_sources(tmp_path):
    data = told(*copies(tmp_path, 200))[-1].data
    assert (data["items"], len(data["sources"]), data["distinct_sources"]) == (200, 50, 200)


def test_silent_media_pile_up_nothing_of_what_happens_elsewhere():
    desk = MediaDesk("s", {}, 300 * NS)
    for hour in range(500):
        at_ns = (T0 + hour * 3600) * NS
        desk.take([], [Happening(f"i{hour}", "flood", "", at_ns)], at_ns, ended=False)
    assert len(desk.snapshot()["happenings"]) < 60
    desk.take([], [], (T0 + 500 * 3600) * NS, ended=True)
    assert desk.snapshot()["happenings"] == {}


def test_coverage_is_what_counting_anew_would_say():
    chosen, coverage, until = random.Random(7), Coverage(), {}
    for clock_ns in range(0, 20_000, 7):
        area = f"{chosen.randrange(30)}"
        until[area] = chosen.choice([None, clock_ns + chosen.randrange(-200, 900)])
        coverage.set(("a", area), until[area])
        fresh = sum(end_ns is None or clock_ns <= end_ns for end_ns in until.values())
        assert coverage.percent("a", clock_ns) == round(100 * fresh / len(until), 1)
