"""SPaT messages: phases read, in their own instants or by the recording's milliseconds; bad lines named."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner

from smartstream.cli.controller import controller
from smartstream.errors import InvalidInputError
from smartstream.ingest.spat import changes, read_spat
from smartstream.model.time import NS, parse_instant

SIGNAL = Path(__file__).parents[3] / "shared" / "data" / "signal"
START_NS = parse_instant("2026-03-01T00:00:00Z")


def message(*states: str, moy: object = "@MINUTE_OF_YEAR@", milli: object = "@MILLI_OF_MINUTE@", **status: bool) -> str:
    movements = [
        {"signalGroup": group, "state_time_speed": {"movementEventList": [{"eventState": state}]}}
        for group, state in enumerate(states, start=1)
    ]
    at = {"id": {"id": 7}, "moy": moy, "timeStamp": milli, "status": status, "states": {"movementList": movements}}
    return json.dumps({"payload": {"data": {"intersectionStateList": {"intersectionStatelist": [at]}}}})


def write(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "spat.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_phases_by_the_milliseconds_of_the_recording(tmp_path: Path) -> None:
    green, amber = "PROTECTED_MOVEMENT_ALLOWED", "PROTECTED_CLEARANCE"
    lines = [f"SPAT,{ms},{message(state, 'STOP_AND_REMAIN')}" for ms, state in ((0, green), (100, green), (200, amber))]
    found = read_spat(write(tmp_path, "MAP,0,{}", *lines), start_ns=START_NS)
    assert (found.messages, found.others, found.refused) == (3, 1, [])
    told = [(line.time_ns - START_NS, line.signal, line.state) for line in changes(found.lines)]
    assert told == [(0, "1", "green"), (0, "2", "red"), (200_000_000, "1", "amber")]
    assert len(found.lines) == 6


def test_a_message_knows_its_own_instant(tmp_path: Path) -> None:
    path = write(tmp_path, message("DARK", moy=60 * 24 * 31 + 1, milli=1500))
    (line,) = read_spat(path, start_ns=START_NS).lines
    assert line.time_ns == parse_instant("2026-02-01T00:01:01.500Z")
    assert line.state == "dark"


def test_a_controller_that_does_not_believe_itself_is_unknown(tmp_path: Path) -> None:
    path = write(tmp_path, f"SPAT,0,{message('STOP_AND_REMAIN', failureMode=True)}")
    assert [line.state for line in read_spat(path, start_ns=START_NS).lines] == ["unknown"]


def test_bad_lines_are_named_and_harm_no_others(tmp_path: Path) -> None:
    good = f"SPAT,0,{message('STOP_AND_REMAIN')}"
    path = write(tmp_path, "SPAT,0,{broken", good, "SPAT,5,[]", f"SPAT,9,{message('NO_SUCH_STATE')}", message("DARK"))
    found = read_spat(path, start_ns=START_NS)
    assert [number for number, _ in found.refused] == [1, 3, 4, 5]
    assert len(found.lines) == 1
    with pytest.raises(InvalidInputError, match="expected SPaT messages"):
        read_spat(write(tmp_path, "nothing of the kind"), start_ns=START_NS)


def test_the_command_writes_lines_of_a_feed(tmp_path: Path) -> None:
    path = write(tmp_path, f"SPAT,40,{message('STOP_AND_REMAIN')}")
    result = CliRunner().invoke(controller, ["spat", str(path), "--start", "2026-03-01T00:00:00Z"])
    assert json.loads(result.stdout) == {"time": "2026-03-01T00:00:00.040Z", "signal": "1", "state": "red"}
    assert CliRunner().invoke(controller, ["spat", str(path), "--start", "soon"]).exit_code == 2


@pytest.mark.shared
@pytest.mark.skipif(not SIGNAL.exists(), reason="needs the data folder beside the checkout")
def test_real_messages() -> None:
    found = read_spat(SIGNAL / "spats.csv", start_ns=START_NS)
    assert (found.messages, found.others, found.refused) == (34, 0, [])
    first = {line.signal: line.state for line in changes(found.lines)}
    assert Counter(first.values()) == {"red": 6, "green": 1, "amber": 1}
    assert found.lines[-1].time_ns == START_NS + 3717 * NS // 1000
    scripted = read_spat(SIGNAL / "spat_map_script.csv", start_ns=START_NS, intersection=None)
    assert (scripted.messages, scripted.others, scripted.refused) == (8, 1, [])
