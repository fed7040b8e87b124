import gzip
import json

import pytest

from pipelines.beside import beside_events
from smartstream.errors import InvalidInputError
from smartstream.ingest.lines import LineSource, Lost, Quiet, Trouble, file_source
from smartstream.ingest.signal_lines import SignalLines
from smartstream.model.items import DeadLetter, Health, SignalChange, Signals
from smartstream.model.time import MAX_NS, NS
from smartstream.testing.feeds import read_all

T0 = 1_790_000_000


class Spoken:
    """A live feed: lines, and words about it."""

    unit = "message"
    broken = ""
    sorted = False

    def __init__(self, found):
        self._found = list(found)

    @property
    def ended(self):
        return not self._found

    def next_line(self):
        return self._found.pop(0) if self._found else None


def line(at, state="red", signal="S"):
    return json.dumps({"time": at, "signal": signal, "state": state}).encode()


def open_file(path, resume=None):
    source = file_source("signals/j1/0", path, lateness_ns=NS)
    return SignalLines(source, groups=frozenset({"S", "L"}), resume=resume)


def changes(items):
    return [c for i in items if isinstance(i, Signals) for c in i.changes if c.known_ns is None]


def too_late(items):
    return [c for i in items if isinstance(i, Signals) for c in i.changes if c.known_ns is not None]


def dead(items):
    return [(i.reason, i.place) for i in items if isinstance(i, DeadLetter)]


def test_every_line_becomes_a_change_or_a_dead_letter(tmp_path):
    path = tmp_path / "signals.ndjson"
    lines = [
        line(T0),
        b"{broken",
        b"[]",
        b"\xff\xfe",
        line(T0 + 1, "purple"),
        line(T0 + 2, signal="nobody"),
        line("2026-09-21T21:13:25+07:00", "green"),  # T0 + 5
        line("2026-09-21T21:13:25"),  # no offset
        line(-5),
        line(4_000_000_000),  # far future
        line(T0 + 4.5, "amber"),  # out of order within the allowed second
        line(T0 + 3, "amber"),  # too late
        b'{"time": NaN, "signal": "S", "state": "red"}',
        b'{"time": true, "signal": "S", "state": "red"}',
        b'{"signal": "S", "state": "red"}',
        b"x" * 70_000,
        line(T0 + 9, "amber", "L"),
    ]
    path.write_bytes(b"\n".join(lines) + b"\n\n")
    items = read_all(open_file(path))
    assert [(c.time_ns - T0 * NS, c.signal, c.state) for c in changes(items)] == [
        (0, "S", "red"),
        (5 * NS, "S", "green"),
        (int(4.5 * NS), "S", "amber"),
        (9 * NS, "L", "amber"),
    ]
    assert too_late(items) == [SignalChange((T0 + 3) * NS, "S", "amber", known_ns=(T0 + 4) * NS)]
    reasons = dict(dead(items))
    assert sorted(place for _, place in dead(items)) == sorted(
        f"line {n}" for n in (2, 3, 4, 5, 6, 8, 9, 10, 12, 13, 14, 15, 16)
    )
    assert {"broken_json", "bad_field", "unknown_state", "unknown_signal", "bad_time", "absurd_time", "late"} <= set(
        reasons
    )
    assert items[-2].watermark_ns == MAX_NS


def test_a_cut_anywhere_changes_nothing(tmp_path):
    path = tmp_path / "signals.ndjson.gz"
    with gzip.open(path, "wb") as f:
        for i in range(500):
            f.write(line(T0 + i * 0.5 - (3 if i % 50 == 49 else 0), ("red", "green")[i % 2]) + b"\n")
    whole = read_all(open_file(path))
    feed, parts = open_file(path), []
    while not feed.ended:
        parts += feed.read()
        state = feed.snapshot()
        feed.close()
        feed = open_file(path, state)
    assert changes(parts) == changes(whole)
    assert dead(parts) == dead(whole)
    assert len(changes(whole)) + len(dead(whole)) == 500


def test_a_damaged_gzip_ends_the_file_with_a_dead_letter(tmp_path):
    path = tmp_path / "signals.ndjson.gz"
    whole = gzip.compress(b"\n".join(line(T0 + i) for i in range(2000)))
    path.write_bytes(whole[: len(whole) // 2])
    items = read_all(open_file(path))
    assert changes(items)[0] == SignalChange(T0 * NS, "S", "red")
    assert "truncated" in {reason for reason, _ in dead(items)}
    assert items[-2].watermark_ns == MAX_NS


@pytest.mark.parametrize("word", [Trouble("opened", "no answer"), Lost(3, "the stream gave up 3 messages")])
def test_who_is_cut_off_knows_nothing_until_the_next_line(word):
    lines = Spoken([(1, line(T0)), Quiet(4 * NS, 0), word, (2, line(T0 + 20, "green"))])
    items = read_all(SignalLines(LineSource("signals/j1/0", lambda _: lines, NS), groups=frozenset({"S", "L"})))
    assert changes(items) == [
        SignalChange(T0 * NS, "S", "red"),
        SignalChange((T0 + 4) * NS + 1, "L", "unknown"),
        SignalChange((T0 + 4) * NS + 1, "S", "unknown"),
        SignalChange((T0 + 20) * NS, "S", "green"),
    ]


def test_a_line_within_a_silence_is_handed_on_as_too_late():
    lines = Spoken([(1, line(T0)), Quiet(9 * NS, 0), (2, line(T0 + 5, "green"))])
    items = read_all(SignalLines(LineSource("signals/j1/0", lambda _: lines, NS), groups=frozenset({"S"})))
    assert dead(items) == [("late", "message 2")]
    assert too_late(items) == [SignalChange((T0 + 5) * NS, "S", "green", known_ns=(T0 + 9) * NS + 1)]


def test_a_missing_file_is_refused_with_its_name(tmp_path):
    with pytest.raises(InvalidInputError, match=r"nowhere\.ndjson"):
        open_file(tmp_path / "nowhere.ndjson")


@pytest.mark.parametrize("version", [None, 0])
def test_where_another_build_stopped_is_no_place_to_go_on_from(tmp_path, version):
    path = tmp_path / "signals.ndjson"
    path.write_bytes(line(T0) + b"\n")
    state = open_file(path).snapshot() | {"version": version}
    with pytest.raises(InvalidInputError, match="feed signals/j1/0 state: expected version"):
        open_file(path, state)


def states(feed):
    return [(c.signal, c.state) for item in read_all(feed) if isinstance(item, Signals) for c in item.changes]


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_after_the_last_line_of_a_file_that_is_not_whole_nobody_knows_the_light(tmp_path, suffix):
    """Its last red held for the rest of the video, and accused whoever drove on the greens that were lost."""
    lines = b"".join(line(T0 + i, state) + b"\n" for i, state in enumerate(["green", "amber", "red"] * 2000))
    whole = gzip.compress(lines, 0) if suffix else lines  # stored, so that lines are lost and not a block of them
    path = tmp_path / f"s.ndjson{suffix}"
    path.write_bytes(whole[: len(whole) * 2 // 3 + 5])
    *_, last, before = states(open_file(path))
    assert {last, before} == {("S", "unknown"), ("L", "unknown")}
    path.write_bytes(whole)
    assert states(open_file(path))[-1] == ("S", "red")
    path.write_bytes(gzip.compress(lines[:-1]) if suffix else lines[:-1])  # no line end, and nothing is missing
    assert states(open_file(path))[-1] == ("S", "red")


def test_a_way_that_breaks_twice_is_told_twice():
    words = [Trouble("opened", "no answer"), Trouble("closed", ""), Trouble("opened", "refused"), Trouble("closed", "")]
    lines = Spoken([(1, line(T0)), *words, (2, line(T0 + 20))])
    items = read_all(SignalLines(LineSource("signals/j1/0", lambda _: lines, NS), groups=frozenset({"S"})))
    told = [event for item in items if isinstance(item, Health) for event in beside_events("s", item)]
    assert len({event.id for event in told}) == len(told) == 4
