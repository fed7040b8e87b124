"""Every rule kind over 20 seeds of cases, five cameras: nothing false, nothing missed but what is left undecided."""

from __future__ import annotations

import os

import pytest

from smartstream.bench.accuracy import KINDS, judge_seed, judge_seeds, table, wilson
from smartstream.simulate import files
from smartstream.simulate.scene import SceneOptions

pytestmark = pytest.mark.timeout(1200)  # minutes of computing: a machine that does other things as well takes longer


def test_nothing_false_and_nothing_missed_over_twenty_seeds():
    result = judge_seeds(range(1, 21), jobs=os.cpu_count() or 1)
    print("\n".join(table(result)))
    assert set(result.rows) == set(KINDS)
    for kind, row in result.rows.items():
        assert row.false == 0, (kind, result.wrong)
        assert row.truth - row.found == row.open_truth, (kind, result.wrong)
        assert row.told == row.lifted, (kind, result.wrong)
        assert row.truth >= 30, kind
        assert row.near_misses + row.lifted >= 30, kind
        assert row.found >= 0.97 * row.truth, kind
    # What is left open is named with its reason.
    assert all(why for (_, _, why), _ in result.open.items())


def test_nothing_false_from_behind_over_twenty_seeds():
    """What the rear of a vehicle does not prove is missed, and nobody accused by it."""
    result = judge_seeds(range(1, 21), jobs=os.cpu_count() or 1, view="rear")
    print("\n".join(table(result)))
    for kind, row in result.rows.items():
        assert row.false == 0, (kind, result.wrong)
        assert row.truth >= 15, kind
        if kind != "stop_line":  # of a car the front is known too roughly
            assert row.found >= 0.85 * row.truth, (kind, result.wrong)
    assert result.rows["stop_line"].found >= 10


def test_a_box_that_the_lower_edge_cuts_is_over_no_line():
    """Lorries come into the picture from below, as wide as their upper half."""
    result = judge_seed(2, view="rear", kinds=("banned_class",))
    assert result.rows["banned_class"].found == result.rows["banned_class"].truth > 0
    assert result.rows["solid_line"].false == 0


def test_who_leaves_over_the_lower_edge_does_not_turn_back(monkeypatch):
    """A detector's boxes end with the picture: the foot of who drives out below goes along the edge."""
    boxes_at = files.boxes_at

    def within_the_picture(*args):
        frames, boxes = boxes_at(*args)
        return frames, boxes.clip(0, 1)

    monkeypatch.setattr(files, "boxes_at", within_the_picture)
    result = judge_seed(4, kinds=("u_turn", "lane_arrow"))
    assert result.rows["u_turn"].false == 0, result.wrong
    assert result.rows["u_turn"].found == result.rows["u_turn"].truth > 0


def test_a_rule_that_is_not_armed_is_missed(monkeypatch):
    monkeypatch.setattr("smartstream.simulate.files.RULES", ('kind = "wrong_way"',))
    result = judge_seed(3, kinds=("red_light", "wrong_way"))
    assert result.rows["wrong_way"].found == result.rows["wrong_way"].truth > 0
    assert result.rows["red_light"].found == 0
    missed = [case for _, kind, case, what in result.wrong if (kind, what) == ("red_light", "missed")]
    assert "red_light: runs the red" in missed


@pytest.mark.slow
def test_from_pixels_too():
    """One seed through the rendered picture and the motion detector; all of them: `bench accuracy --pixels`."""
    look = SceneOptions(0, fps=12.5, size=(960, 540))
    result = judge_seed(10, kinds=("wrong_way",), pixels=look)
    print("\n".join(table(result)))
    assert {kind: row.false for kind, row in result.rows.items() if row.false} == {}, result.wrong
    assert result.rows["wrong_way"].found >= 1


def test_wilson_interval():
    known = {(40, 40): (0.912, 1.0), (0, 10): (0.0, 0.278), (5, 10): (0.237, 0.763)}
    for (hits, of), interval in known.items():
        assert wilson(hits, of) == pytest.approx(interval, abs=5e-4)
