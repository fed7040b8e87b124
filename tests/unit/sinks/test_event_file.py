from __future__ import annotations

import os
from pathlib import Path

import pytest

from smartstream.errors import DataLossError, InvalidInputError, UnavailableError
from smartstream.model.event import CloudEvent, make_event
from smartstream.sinks.event_file import EventFileSink


def event(n: int) -> CloudEvent:
    return make_event(
        site="t", entity="cam", kind=("traffic", "crossing", "observed"), subject="j1", at_ns=n, key=str(n),
        data={"n": n, "text": "Ngã tư Tân Long"},
    )  # fmt: skip


def test_one_json_per_line(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    part = EventFileSink(path).build_part("file", "all", None)
    part.write_batch([event(1), event(2)])
    assert path.read_bytes() == event(1).to_json() + b"\n" + event(2).to_json() + b"\n"


def test_cut_back_to_what_was_committed(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    part = EventFileSink(path).build_part("file", "all", None)
    part.write_batch([event(1)])
    committed = part.snapshot()
    part.write_batch([event(2), event(3)])  # killed before the next snapshot, perhaps in the middle of a line
    os.truncate(path, path.stat().st_size - 7)
    again = EventFileSink(path).build_part("file", "all", committed)
    again.write_batch([event(2)])
    assert path.read_bytes().splitlines() == [event(1).to_json(), event(2).to_json()]


def test_overwritten_without_a_position(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    path.write_text("old\n")
    EventFileSink(path).build_part("file", "all", None).write_batch([event(1)])
    assert path.read_bytes() == event(1).to_json() + b"\n"


def test_prepare_empties_unless_resuming(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    path.write_text("old\n")
    EventFileSink(path).prepare(resuming=True)
    assert path.read_text() == "old\n"
    EventFileSink(path).prepare(resuming=False)
    assert path.read_text() == ""


def test_standard_output(capfd: pytest.CaptureFixture[str]) -> None:
    sink = EventFileSink("-")
    sink.prepare(resuming=False)
    part = sink.build_part("file", "all", None)
    part.write_batch([event(1)])
    assert part.snapshot() == len(event(1).to_json()) + 1
    part.close()
    os.write(1, b"still open\n")
    assert capfd.readouterr().out == event(1).to_json().decode() + "\nstill open\n"


def test_a_file_that_lost_committed_events_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    path.write_text("short")
    with pytest.raises(DataLossError, match="holds 5 bytes, expected the 100 committed"):
        EventFileSink(path).build_part("file", "all", 100)


def test_clear_messages(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="cannot be written: No such file"):
        EventFileSink(tmp_path / "none" / "events").prepare(resuming=False)
    with pytest.raises(InvalidInputError, match="cannot be written: Is a directory"):
        EventFileSink(tmp_path).prepare(resuming=False)
    full = EventFileSink("/dev/full").build_part("file", "all", None)
    with pytest.raises(UnavailableError, match="No space left on device"):
        full.write_batch([event(1)])
