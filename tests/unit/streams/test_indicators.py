"""Indicators: latest, trend, target, freshness, coverage, late and missing; the same however it is cut."""

import json
import pickle
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.sectors import SectorSpec, SectorStep
from smartstream.ingest.indicator_lines import IndicatorLines
from smartstream.ingest.lines import file_source
from smartstream.model.items import DeadLetter, Figure
from smartstream.model.time import NS
from smartstream.streams import indicators

HOUR = 3600
T0 = 1_790_000_000
SPEC = SectorSpec("s", ("i",), "Asia/Ho_Chi_Minh", 600 * NS)


def value(hours, number, area="1", **more):
    return {
        "time": T0 + hours * HOUR,
        "indicator": "one_stop.overdue",
        "area": area,
        "value": number,
        "unit": "case",
        **more,
    }


def tell(folder, lines, *, turn_lines=256, cut=False):
    path = folder / "i.ndjson"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    source = file_source("i", path, lateness_ns=600 * NS, turn_lines=turn_lines)
    feed, step, events = IndicatorLines(source), SectorStep(SPEC), []
    while not feed.ended:
        items = feed.read()
        told, _ = step.on_batch([item for item in items if type(item).__name__ == "Figures"])
        events += told
        if cut:
            feed = IndicatorLines(source, pickle.loads(pickle.dumps(feed.snapshot())))
            step = SectorStep(SPEC, pickle.loads(pickle.dumps(step.snapshot())))
    return [(".".join(e.type.split(".")[3:5]), e.data) for e in events]


def test_latest_trend_target_and_revision(tmp_path):
    told = tell(
        tmp_path,
        [value(0, 10), value(24, 12), value(48, 15, target=5), value(24, 13), value(24, 13), value(25, 9, unit="%")],
    )
    last = [data for kind, data in told if kind == "one_stop_overdue.updated"]
    assert [d["value"] for d in last] == [10, 12, 15, 13]
    assert (last[2]["trend"], last[2]["per_day"], last[2]["target"], last[2]["gap"]) == ("rising", 2.5, 5, 10)
    assert (last[3]["revision"], last[3]["latest"], last[3]["late"], last[3]["late_reports"]) == (1, False, True, 1)
    assert last[2]["text"] == "one_stop.overdue tại 1: 15 case, đang tăng."
    assert [data["reason"] for kind, data in told if kind == "streams.observed"] == ["duplicate", "conflict"]


def test_what_is_owed_and_does_not_come_is_missing_until_it_comes(tmp_path):
    owed = {"every_s": HOUR}
    lines = [value(0, 1, **owed), value(0, 1, area="2", **owed), value(1, 2, **owed), value(2, 3, **owed),
             value(3, 3.5, **owed), value(3.1, 5, area="2", **owed)]  # fmt: skip
    told = tell(tmp_path, lines)
    missing = [(kind.split(".")[1], data["area"]) for kind, data in told if data.get("what") == "missing"]
    assert missing == [("opened", "2"), ("closed", "2")]
    coverage = [data["coverage_percent"] for kind, data in told if kind.endswith("updated")]
    assert coverage == [100, 100, 100, 50, 50, 100]
    assert [data["freshness_s"] for kind, data in told if kind.endswith("updated")] == [0] * 6


def test_records_become_figures_or_are_counted_by_the_day(tmp_path):
    queue = {"record": "dvc.queue", "area": "1", "desk": "q", "waiting": 14, "counters_open": 3, "time": T0}
    case = {"record": "dvc.case_event", "area": "1", "case": "a", "procedure": "p", "agency": "x", "state": "received"}
    lines = [queue, *({**case, "time": T0 + i} for i in range(3)), {**case, "time": T0 + 86_400}]
    told = tell(tmp_path, lines)
    values = [(data["indicator"], data["value"], data["revision"]) for _, data in told]
    assert values == [
        ("dvc.queue.waiting", 14, 0), ("dvc.queue.counters_open", 3, 0), ("dvc.case_event.count", 1, 0),
        ("dvc.case_event.count", 2, 1), ("dvc.case_event.count", 3, 2), ("dvc.case_event.count", 1, 0),
    ]  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 40), st.integers(0, 3), st.sampled_from("12"), st.sampled_from([0, HOUR])), max_size=40
    ),
    st.integers(1, 9),
)
def test_any_cut_and_any_turn_tell_the_same(tmp_path_factory, lines, turn_lines):
    said = [value(hours, number, area, every_s=every) for hours, number, area, every in lines]
    folder = tmp_path_factory.mktemp("i")
    assert tell(folder, said) == tell(folder, said, turn_lines=turn_lines, cut=True)


def test_dead_letters_keep_their_place(tmp_path):
    path = tmp_path / "i.ndjson"
    path.write_text('{"time": 1790000000, "indicator": "a", "area": "1", "value": 1e400, "unit": "x"}\n{"value": 1}\n')
    items = IndicatorLines(file_source("i", path, lateness_ns=NS)).read()
    assert [(i.reason, i.place) for i in items if isinstance(i, DeadLetter)] == [
        ("bad_field", "line 1"),
        ("bad_field", "line 2"),
    ]


def test_letters_of_one_record_are_told_apart(tmp_path):
    record = {"time": T0, "record": "dvc.queue", "area": "1", "desk": "d", "waiting": 3, "counters_open": 2}
    path = tmp_path / "i.ndjson"
    path.write_text(2 * (json.dumps(record) + "\n"))
    feed, step, ids = IndicatorLines(file_source("i", path, lateness_ns=NS)), SectorStep(SPEC), []
    while not feed.ended:
        figures = [item for item in feed.read() if type(item).__name__ == "Figures"]
        ids += [event.id for event in step.on_batch(figures)[0] if ".dlq." in event.type]
    assert len(set(ids)) == len(ids) == 2


def test_what_is_owed_in_a_year_and_comes_every_second_fills_no_memory():
    desk = indicators.Indicators("s", ZoneInfo("Asia/Ho_Chi_Minh"), 600 * NS)
    for i in range(500):
        at_ns = (T0 + i) * NS
        desk.take([Figure(at_ns, at_ns, "i", i, "a", "1", float(i), "u", every_s=366 * 24 * HOUR)], at_ns)
    assert len(desk.snapshot()["due"]) == 1


def test_a_shorter_term_counts_at_once(tmp_path):
    lines = [value(0, 1, every_s=100 * HOUR), value(1, 2, every_s=HOUR), value(4, 3, "2"), value(5, 4, "2")]
    missing = [data["at"] if "at" in data else data["last"] for kind, data in tell(tmp_path, lines) if "opened" in kind]
    assert len(missing) == 1


def test_made_up_areas_fill_no_memory_and_silence_nobody_known(tmp_path, monkeypatch):
    monkeypatch.setattr(indicators, "_MOST", 2)
    told = tell(tmp_path, [value(0, 1, "a"), value(0, 1, "b"), value(0, 1, "c"), value(1, 2, "a")])
    assert [(data["area"], data["value"]) for kind, data in told if kind.endswith("updated")] == [
        ("a", 1), ("b", 1), ("a", 2),
    ]  # fmt: skip
    assert [data["reason"] for kind, data in told if kind == "streams.observed"] == ["too_many_series"]
