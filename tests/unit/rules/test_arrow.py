"""A green arrow beside a red light: who goes where it points may go, who goes elsewhere may not."""

from __future__ import annotations

import numpy as np
import pytest
from rules_street import NS, T0, Vehicle, camera, config, image, outcomes, rectangle

from smartstream.model.classes import STATE_CODE
from smartstream.rules.outcome import Violation

LANE = {
    "id": "A",
    "polygon": rectangle(0, -50, 3.5, 0),
    "direction": [0, 1],
    "signal": "G",
    "movement_signal": {"right": "R"},
}
LINES = [
    {"id": "stop", "kind": "stop", "points": image((3.5, 0), (0, 0))},
    {"id": "right", "kind": "exit", "movement": "right", "points": image((-5, 2), (-5, 18))},
    {"id": "on", "kind": "exit", "movement": "through", "points": image((-3, 20), (5, 20))},
]
LIGHTS = [{"kind": k, "line": "stop"} for k in ("red_light", "yellow_light", "stop_line")]


def judge(vehicles, *, light="red", arrow="green", lines=LINES):
    site = config(camera(lanes=[LANE], lines=lines, rules=LIGHTS)) | {"groups": ["G", "R"]}

    def show(engine):
        states = [(0, light), (1, arrow)] if isinstance(arrow, str) else [(0, light)]
        changes = [(0.0, *s) for s in states] + ([] if isinstance(arrow, str) else [(t, 1, s) for t, s in arrow])
        engine.signals(
            np.array([T0 + round(t * NS) for t, *_ in changes], np.int64),
            np.array([group for _, group, _ in changes], np.uint16),
            np.array([STATE_CODE[state] for *_, state in changes], np.uint8),
        )

    found = [o for o in outcomes(site, vehicles, before=show) if isinstance(o, Violation)]
    return [(o.kind, o.verdict, *o.reasons) for o in found], found


def turns(**more):
    return Vehicle([(1.7, -30, 4), (1.7, 6, 1), (-1, 10, 1.5), (-20, 10, 0)], **more)


def straight(until=40, **more):
    return Vehicle([(1.7, -30, 6), (1.7, until, 0)], **more)


def test_to_the_right_on_the_arrow_is_lawful():
    assert judge([turns()])[0] == []


def test_straight_on_beside_the_arrow_is_not():
    said, (found,) = judge([straight()])
    assert said == [("red_light", "suspected")]
    assert found.signal.group == "G"
    assert "exit_line" in found.explanation.intervals_ns, "the proof reaches to where it showed its way"


def test_where_it_goes_was_not_seen():
    assert judge([straight(until=12)])[0] == [("red_light", "undecided", "movement_unknown")]
    assert judge([straight()], lines=LINES[:2])[0] == [("red_light", "undecided", "movement_unknown")]


def test_who_was_mistaken_for_another_before_it_turned():
    assert judge([straight(doubtful=[(4.3, 4.4)])])[0] == [("red_light", "undecided", "identity_doubt")]


@pytest.mark.parametrize("vehicle", [turns, straight])
def test_without_the_arrow_both_must_wait(vehicle):
    said, (found,) = judge([vehicle()], arrow="red")
    assert said == [("red_light", "suspected")]
    assert "exit_line" not in found.explanation.intervals_ns, "told before it matters where it goes"


def test_an_arrow_that_goes_out_leads_nobody():
    # The front is over the line at second 3.3: the arrow has been red for a second.
    said, (found,) = judge([turns()], arrow=[(0, "green"), (2.3, "red")])
    assert said == [("red_light", "suspected")]
    assert found.signal.group == "G"


def test_an_arrow_against_which_one_turns_while_others_have_green():
    said, (found,) = judge([turns()], light="green", arrow="red")
    assert said == [("red_light", "suspected")]
    assert found.signal.group == "R"
    assert judge([straight()], light="green", arrow="red")[0] == []


def test_an_unknown_arrow_accuses_nobody_who_follows_it():
    assert judge([turns()], arrow="unknown")[0] == []


def test_stopping_and_resuming_between_line_and_exit_changes_nothing():
    from rules_street import batch_of, engine_of, rows_of

    from smartstream.rules.outcome import decode_outcomes

    site = config(camera(lanes=[LANE], lines=LINES, rules=LIGHTS)) | {"groups": ["G", "R"]}
    rows = rows_of([straight(), turns(at=1.0)])
    times = sorted(rows)
    told = []
    for cut in (None, *range(30, 60, 4)):
        engine = engine_of(site, [(0, "red")])
        engine.signals(np.array([T0], np.int64), np.array([1], np.uint16), np.array([STATE_CODE["green"]], np.uint8))
        found = []
        for part in [times] if cut is None else [times[:cut], times[cut:]]:
            engine.tracks(0, batch_of(part, rows))
            found += decode_outcomes(engine.advance(part[-1]))
            after = engine_of(site)
            after.restore(engine.snapshot())
            engine = after
        told.append(found + decode_outcomes(engine.finish()))
    assert [o.kind for o in told[0] if isinstance(o, Violation)] == ["red_light"]
    assert all(sorted(map(repr, t)) == sorted(map(repr, told[0])) for t in told)
