from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from smartstream.errors import InvalidInputError, UnavailableError
from smartstream.model.event import CloudEvent, make_event
from smartstream.model.items import Tally
from smartstream.sinks.ledger import LedgerSink, RuleCount, read_ledger
from smartstream.sinks.ledger_table import print_ledger


def event(type_: str, n: int = 0, **data: Any) -> CloudEvent:
    class_, kind, verb = type_.split(".")
    return make_event(site="t", entity="cam", kind=(class_, kind, verb), subject="j1", at_ns=n, key=str(n), data=data)


MIXED = [
    event("violation.red_light.suspected"),
    event("violation.red_light.suspected"),
    event("violation.red_light.undecided"),
    event("violation.red_light.suppressed"),
    event("violation.red_light.suspected", revision=1),
    event("violation.red_light.retracted", retracts="x"),
    event("violation.red_light.evidence"),
    event("traffic.speeding.estimated"),
    event("traffic.crossing.observed", camera="cam", line="stop", **{"class": "car", "direction": "forward"}),
    event("traffic.crossing.observed", camera="cam", line="stop", **{"class": "car", "direction": "backward"}),
    event("dlq.ingest.observed", reason="late"),
    event("dlq.ingest.observed", reason="late", count=3),
    Tally("cam", {"frames": 3}),
    Tally("cam", {"frames": 5}),
]


def test_counts(tmp_path: Path) -> None:
    path = tmp_path / "summary.json"
    sink = LedgerSink(path, site="t", armed=("red_light", "wrong_way"), not_armed={"u_turn": "not built yet"})
    part = sink.build_part("ledger", "all", None)
    part.write_batch(MIXED)
    part.snapshot()
    assert not read_ledger(path).complete
    part.close()
    ledger = read_ledger(path)
    assert ledger.complete
    assert ledger.rules == {
        "red_light": RuleCount(candidates=4, suspected=2, undecided=1, suppressed=1, retracted=1, revised=1),
        "wrong_way": RuleCount(),
        "speeding": RuleCount(candidates=1, estimated=1),
    }
    assert ledger.not_armed == {"u_turn": "not built yet"}
    assert ledger.crossings == {"cam/stop": {"car": {"forward": 1, "backward": 1}}}
    assert ledger.dead_letters == {"ingest": {"late": 4}}
    assert ledger.sides == {"cam": {"frames": 5}}
    assert ledger.events["violation.red_light.suspected"] == 3
    assert json.loads(path.read_bytes())["rules"]["red_light"]["candidates"] == 4


def test_state_carries_on(tmp_path: Path) -> None:
    sink = LedgerSink(tmp_path / "summary.json")
    part = sink.build_part("ledger", "all", None)
    part.write_batch(MIXED)
    state = part.snapshot()
    part.write_batch(MIXED)  # lost with the kill
    again = sink.build_part("ledger", "all", state)
    again.write_batch(MIXED)
    again.snapshot()
    assert read_ledger(tmp_path / "summary.json").rules["red_light"].candidates == 8


def test_a_break_within_an_epoch_leaves_the_committed_summary(tmp_path: Path) -> None:
    path = tmp_path / "summary.json"
    part = LedgerSink(path).build_part("ledger", "all", None)
    part.write_batch(MIXED)
    part.snapshot()
    part.write_batch(MIXED)
    part.close()
    assert read_ledger(path).rules["red_light"].candidates == 4
    assert not read_ledger(path).complete


def test_stopped_is_not_complete(tmp_path: Path) -> None:
    path = tmp_path / "summary.json"
    part = LedgerSink(path, ended=lambda: False).build_part("ledger", "all", None)
    part.write_batch(MIXED)
    part.snapshot()
    part.close()
    assert not read_ledger(path).complete


def test_a_disk_that_fills_is_told_once(tmp_path: Path) -> None:
    """What ``close`` raises while another error is on its way aborts the process without a word."""
    folder = tmp_path / "gone"
    folder.mkdir()
    sink = LedgerSink(folder / "summary.json")
    part = sink.build_part("ledger", "all", None)
    part.write_batch(MIXED)
    folder.rmdir()
    with pytest.raises(UnavailableError, match="cannot be written"):
        part.snapshot()
    part.close()
    assert sink.failure is None, "it has been raised"
    folder.mkdir()
    part.snapshot()
    (folder / "summary.json").unlink()
    folder.rmdir()
    part.close()
    assert "cannot be written" in str(sink.failure)


def test_tables_say_all(tmp_path: Path) -> None:
    seen: list[str] = []

    def report(ledger: Any) -> None:
        console = Console(width=120, record=True, file=(tmp_path / "out").open("w"))
        print_ledger(ledger, console)
        seen.append(console.export_text())

    part = LedgerSink(None, not_armed={"u_turn": "not built yet"}, report=report).build_part("l", "all", None)
    part.write_batch(MIXED)
    part.snapshot()
    part.close()
    (text,) = seen
    for word in ("red_light", "u_turn is not armed: not built yet", "cam/stop", "late", "frames"):
        assert word in text


def test_clear_messages(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="cannot be written"):
        LedgerSink(tmp_path / "none" / "s.json").prepare()
    with pytest.raises(InvalidInputError, match="cannot be read"):
        read_ledger(tmp_path / "none")
    (tmp_path / "bad").write_text("{")
    with pytest.raises(InvalidInputError, match="not a ledger"):
        read_ledger(tmp_path / "bad")
    with pytest.raises(InvalidInputError, match="expected version 1, found 9"):
        LedgerSink(None).build_part("ledger", "all", b"\x09")


def test_who_spoke_first_is_not_in_the_summary(tmp_path: Path) -> None:
    """Of several processes it is another one in every run."""
    said = [Tally("signals/j/0", {"lines": 6}), Tally("cam", {"frames": 9}), Tally("sensors/0", {"lines": 1})]
    written = []
    for order in (said, said[::-1]):
        part = LedgerSink(tmp_path / "s").build_part("ledger", "all", None)
        part.write_batch(order)
        part.snapshot()
        written.append((tmp_path / "s").read_text())
    assert written[0] == written[1]
