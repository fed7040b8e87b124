"""Logs of signal controllers: phases read, crossings by phase, ties on one tick undecided."""

from pathlib import Path

import pytest

from smartstream.ingest.controller_log import Row, count_crossings, phase_lines, read_log

LOG = Path(__file__).parents[3] / "shared" / "data" / "signal" / "atspm_device1136_2h.parquet"


def test_a_crossing_on_the_tick_of_a_change_is_undecided():
    rows = [Row(1, 82, 46), Row(2, 1, 6), Row(3, 82, 46), Row(4, 8, 6), Row(4, 82, 46), Row(5, 82, 7), Row(6, 10, 6)]
    rows += [Row(7, 82, 46), Row(8, 82, 46), Row(8, 1, 2)]
    found = count_crossings(rows, detector=46, phase=6)
    assert found.by_state == {"unknown": 1, "green": 1, "red": 2}
    assert found.undecided_ns == (4,)
    assert [(line.signal, line.state) for line in phase_lines(rows)][:3] == [
        ("6", "green"),
        ("6", "amber"),
        ("6", "red"),
    ]


@pytest.mark.shared
@pytest.mark.skipif(not LOG.exists(), reason="needs the data folder beside the checkout")
def test_two_hours_of_a_controller_in_oregon():
    pytest.importorskip("pyarrow", reason="needs the extra controller")
    rows = read_log(LOG, device=1136)
    assert len(rows) == 37_152
    assert {line.signal for line in phase_lines(rows)} == {"2", "5", "6", "8"}
    found = count_crossings(rows, detector=46, phase=6)
    on = [row for row in rows if (row.event, row.parameter) == (82, 46)]
    assert sum(found.by_state.values()) + len(found.undecided_ns) == len(on) > 0
    ticks = {row.time_ns for row in rows if row.event in (1, 8, 10) and row.parameter == 6}
    assert set(found.undecided_ns) == {row.time_ns for row in on} & ticks
