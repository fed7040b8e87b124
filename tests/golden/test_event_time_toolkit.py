"""Every operator of the toolkit: straight, cut and resumed at every item, delayed and reordered, beside an oracle."""

import pickle
import random

import numpy as np
import pytest

from smartstream.model.time import MAX_NS, NS
from smartstream.streams.asof import AsOfJoin
from smartstream.streams.columns import Rows, concat
from smartstream.streams.dedupe import Dedupe
from smartstream.streams.interval import IntervalJoin
from smartstream.streams.restated import Restated
from smartstream.streams.sessions import Sessions
from smartstream.streams.timers import Timers
from smartstream.streams.windows import WindowAggregate
from smartstream.streams.working_calendar import WorkingCalendar

LATENESS = 20


def items(rows, rng, size=4):
    """Rows as a source emits them: out of order within the lateness, in turns, each with its watermark."""
    order = sorted(rows, key=lambda row: row[0] + (rng.uniform(0, LATENESS) if rng else 0))
    newest, out = -(10**9), []
    for i in range(0, len(order), size):
        turn = order[i : i + size]
        newest = max(newest, *(row[0] for row in turn))
        out.append((Rows.of(turn), newest - LATENESS - 1))
    return [*out, (Rows.of(), MAX_NS)]


def play(make, sides, *, seed=None, cut=False, take=None):
    """What an operator answers to the items of its sides, in some order of turns; nothing may come out late."""
    rng = random.Random(seed) if seed is not None else None
    left = {name: items(rows, rng, size=1 + (rng.randrange(6) if rng else 3)) for name, rows in sides.items()}
    operator, out = make(), []
    while any(left.values()):
        names = [name for name, turns in left.items() if turns]
        name = rng.choice(names) if rng else names[0]
        answer = operator.take(name, *left[name].pop(0))
        assert not len(answer.late) if isinstance(answer.late, dict) else True
        out += take(answer)
        if cut:
            state = pickle.loads(pickle.dumps(operator.snapshot()))
            operator = make()
            operator.restore(state)
    return sorted(out)


def made(seed, n=80, keys=3, span=400):
    rng = random.Random(seed)
    return [(rng.randrange(span), rng.randrange(keys), rng.randrange(5)) for _ in range(n)]


def every_way(make, sides, take, expected):
    assert play(make, sides, take=take) == expected
    assert play(make, sides, take=take, cut=True) == expected
    for seed in range(8):
        assert play(make, sides, take=take, seed=seed, cut=seed % 2 == 0) == expected


# ── as-of ────────────────────────────────────────────────────────────────────────────────────────────────


def met(answer):
    return list(zip(answer.left.tuples(), answer.value.tolist(), answer.since_ns.tolist(), strict=True))


def test_as_of_meets_the_newest_right_row_of_its_key():
    left = [(10, 0, 1), (20, 0, 2), (20, 1, 3), (60, 0, 4)]
    right = [(5, 0, 70), (20, 0, 71), (25, 1, 72)]
    expected = [((10, 0, 1), 70, 5), ((20, 0, 2), 71, 20), ((60, 0, 4), 71, 20)]
    alone = [((20, 1, 3), 0, -(2**63))]
    every_way(lambda: AsOfJoin(keys=2), {"left": left, "right": right}, met, sorted(expected + alone))
    short = [*expected[:2], ((60, 0, 4), 71, -(2**63)), *alone]
    play_it = play(lambda: AsOfJoin(keys=2, within_ns=15), {"left": left, "right": right}, take=met)
    assert [(row, since) for row, _, since in play_it] == sorted((row, since) for row, _, since in short)


@pytest.mark.parametrize("seed", range(3))
def test_as_of_beside_looking_at_every_pair(seed):
    left, right = made(seed), made(seed + 100, n=40)

    def newest(row):
        found = max(((t, v) for t, k, v in right if k == row[1] and t <= row[0]), default=None)
        return (row, found[1], found[0]) if found else (row, 0, -(2**63))

    expected = sorted(newest(row) for row in left)
    take = lambda a: [(row, v if s != -(2**63) else 0, s) for row, v, s in met(a)]  # noqa: E731
    every_way(lambda: AsOfJoin(keys=3), {"left": left, "right": right}, take, expected)


def test_as_of_gives_back_what_is_late():
    join = AsOfJoin(keys=1)
    join.take("right", Rows.of(), 100)
    join.take("left", Rows.of([(50, 0, 1)]), 60)
    answer = join.take("left", Rows.of([(60, 0, 2), (61, 0, 3)]), 61)
    assert answer.late["left"].tuples() == [(60, 0, 2)]
    assert answer.left.tuples() == [(61, 0, 3)]


# ── interval ─────────────────────────────────────────────────────────────────────────────────────────────


def pairs(answer):
    both = zip(answer.left.tuples(), answer.right.tuples(), strict=True)
    return [*both, *((row, (-1, -1, -1)) for row in answer.alone.tuples())]


@pytest.mark.parametrize(("before", "after"), [(10, 30), (0, 0), (30, -10), (-5, 25)])
def test_interval_beside_looking_at_every_pair(before, after):
    left, right = made(7), made(8, n=60)
    expected = []
    for row in left:
        found = [(row, r) for r in right if r[1] == row[1] and row[0] - before <= r[0] <= row[0] + after]
        expected += found or [(row, (-1, -1, -1))]
    make = lambda: IntervalJoin(before_ns=before, after_ns=after)  # noqa: E731
    every_way(make, {"left": left, "right": right}, pairs, sorted(expected))


def test_interval_drops_what_nothing_can_reach_any_more():
    join = IntervalJoin(before_ns=50, after_ns=10)
    for i in range(1000):
        join.take("left", Rows.of([(10 * i, 0, i)]), 10 * i)
        join.take("right", Rows.of([(10 * i, 0, i)]), 10 * i)
        assert len(join) < 20


# ── windows ──────────────────────────────────────────────────────────────────────────────────────────────


class WindowOperator:
    """Windows of one side, with the same face as the joins."""

    def __init__(self, **how):
        self.windows = WindowAggregate(**how)

    def take(self, _, rows, watermark_ns):
        return self.windows.take(rows, watermark_ns)

    def snapshot(self):
        return self.windows.snapshot()

    def restore(self, state):
        self.windows.restore(state)


def told(w):
    columns = (w.start_ns, w.key, w.count, w.sum, w.min, w.max, w.revision)
    return list(zip(*(c.tolist() for c in columns), strict=True))


def windows_by_hand(rows, width, step):
    expected = {}
    for t, k, v in rows:
        start = t // step * step
        while start > t - width:
            expected.setdefault((start, k), []).append(v)
            start -= step
    return sorted((s, k, len(v), sum(v), min(v), max(v), 0) for (s, k), v in expected.items())


@pytest.mark.parametrize(("width", "step"), [(10, None), (40, 10), (30, 30), (7, 1)])
def test_windows_beside_sums_by_hand(width, step):
    rows = made(11, n=150)
    expected = windows_by_hand(rows, width, step or width)
    every_way(lambda: WindowOperator(width_ns=width, step_ns=step), {"rows": rows}, told, expected)


def test_a_late_row_corrects_its_window_and_one_later_still_comes_back():
    windows = WindowAggregate(width_ns=10, corrections_ns=20)
    assert told(windows.take(Rows.of([(3, 0, 5), (14, 0, 1)]), 14)) == [(0, 0, 1, 5, 5, 5, 0)]
    assert told(windows.take(Rows.of([(4, 0, 2)]), 15)) == []  # told with the next window that closes
    assert told(windows.take(Rows.of(), 20)) == [(0, 0, 2, 7, 2, 5, 1), (10, 0, 1, 1, 1, 1, 0)]
    windows.take(Rows.of([(35, 0, 1)]), 35)
    answer = windows.take(Rows.of([(5, 0, 9), (12, 0, 9)]), 40)
    assert answer.late.tuples() == [(5, 0, 9)]
    assert (10, 0, 2, 10, 1, 9, 1) in told(answer)


@pytest.mark.parametrize("step", [None, 10])
def test_what_stands_after_corrections_is_the_truth(step):
    rows = made(12, n=200)
    for seed in range(6):
        rng = random.Random(seed)
        order = sorted(rows, key=lambda row: row[0] + rng.uniform(0, 60))
        windows, standing = WindowAggregate(width_ns=30, step_ns=step, corrections_ns=100), {}
        for i, row in enumerate(order):
            answer = windows.take(Rows.of([row]), row[0] - 5 if i < len(order) - 1 else MAX_NS)
            assert not len(answer.late)
            for start, key, *values, revision in told(answer):
                assert revision == standing.get((start, key), (-1,))[0] + 1
                standing[start, key] = (revision, *values)
        found = sorted((*window, *values[1:], 0) for window, values in standing.items())
        assert found == windows_by_hand(rows, 30, step or 30)


def test_windows_hold_no_more_than_may_still_change():
    windows = WindowAggregate(width_ns=60 * NS, step_ns=10 * NS, corrections_ns=600 * NS)
    rng, most = np.random.default_rng(1), 0
    for hour in range(24 * 6):
        time = np.sort(rng.integers(hour * 600 * NS, (hour + 1) * 600 * NS, 5_000))
        rows = Rows(time, rng.integers(0, 20, 5_000).astype(np.uint32), np.ones(5_000, np.int64))
        windows.take(rows, int(time[-1]) - NS)
        most = max(most, len(windows))
    assert most <= 20 * (60 + 6 + 62)  # keys × panes of a turn and of what may be corrected


# ── sessions, dedupe ─────────────────────────────────────────────────────────────────────────────────────


def ended(answer):
    columns = (answer.start_ns, answer.last_ns, answer.key, answer.count, answer.sum)
    return list(zip(*(c.tolist() for c in columns), strict=True))


@pytest.mark.parametrize("gap", [3, 10])
def test_sessions_beside_walking_through_each_key(gap):
    rows = made(21, n=120)
    expected = []
    for key in range(3):
        for t, _, v in sorted(row for row in rows if row[1] == key):
            if expected and expected[-1][2] == key and t - expected[-1][1] <= gap:
                start, _, _, count, total = expected[-1]
                expected[-1] = (start, t, key, count + 1, total + v)
            else:
                expected.append((t, t, key, 1, v))
    every_way(lambda: Sessions(gap_ns=gap, sides=("a", "b")), {"a": rows[:60], "b": rows[60:]}, ended, sorted(expected))


@pytest.mark.parametrize("horizon", [0, 15])
def test_dedupe_beside_remembering_the_last_sight(horizon):
    rows = made(31, n=200)
    last, expected = {}, []
    for t, k, v in sorted(rows):
        if (k, v) not in last or t - last[k, v] > horizon:
            expected.append((t, k, v))
        last[k, v] = t
    make = lambda: Dedupe(horizon_ns=horizon, sides=("a", "b"))  # noqa: E731
    every_way(make, {"a": rows[::2], "b": rows[1::2]}, lambda a: a.rows.tuples(), sorted(expected))


def test_dedupe_forgets_what_was_silent_for_its_horizon():
    dedupe = Dedupe(horizon_ns=100)
    for i in range(2000):
        dedupe.take("rows", Rows.of([(i, i % 7, i)]), i)
        assert len(dedupe) <= 102


# ── restatement, timers ──────────────────────────────────────────────────────────────────────────────────


def test_restatement_takes_back_and_tells_again():
    told = Restated()
    assert told.set("a", 1, 0) == ("opened", 0, 1, None)
    assert told.set("a", 1, 5) is None
    assert told.set("a", 2, 6) == ("updated", 1, 2, 0)
    again = Restated()
    again.restore(pickle.loads(pickle.dumps(told.snapshot())))
    assert again.set("a", None, 7) == ("retracted", 2, 2, 1)
    assert again.set("a", None, 8) is None
    assert again.set("a", 2, 9) == ("opened", 3, 2, None)
    assert again.set("never", None, 9) is None
    assert again.expire(9) == 0
    assert again.expire(10) == 1
    assert len(again) == 0


def test_timers_ring_in_order_and_over_the_holidays():
    from zoneinfo import ZoneInfo

    from smartstream.model.time import parse_instant

    calendar = WorkingCalendar(ZoneInfo("Asia/Ho_Chi_Minh"))
    timers = Timers(calendar)
    before_the_holiday = parse_instant("2026-09-01T16:30:00+07:00")  # 1 and 2 September are days off in 2026
    due = timers.set_working("answer", before_the_holiday, 2 * 3600 * NS)
    assert due == calendar.add(before_the_holiday, 2 * 3600 * NS) > parse_instant("2026-09-03T00:00:00+07:00")
    timers.set("late", due + 5)
    timers.set("early", due - 5)
    timers.set("moved", due - 9)
    timers.set("moved", due + 9)
    assert timers.cancel("late")
    again = Timers(calendar)
    again.restore(pickle.loads(pickle.dumps(timers.snapshot())))
    for each in (timers, again):
        assert each.ring(due - 1) == [(due - 5, "early")]
        assert each.ring(due + 100) == [(due, "answer"), (due + 9, "moved")]
        assert len(each) == 0


# ── one side ten times faster ────────────────────────────────────────────────────────────────────────────


def test_a_side_ten_times_faster_makes_nothing_late():
    """A replayed backlog: Bytewax's join_window called half of such items late (research, B3)."""
    rng = random.Random(4)
    sides = {name: sorted(made(seed, n=400, span=4000)) for name, seed in (("left", 1), ("right", 2))}
    turns = {name: items(rows, rng, size=5) for name, rows in sides.items()}
    join, answered = IntervalJoin(before_ns=5, after_ns=5), []
    while any(turns.values()):
        for _ in range(10):
            if turns["left"]:
                answer = join.take("left", *turns["left"].pop(0))
                assert not answer.late
                answered += pairs(answer)
        if turns["right"]:
            answer = join.take("right", *turns["right"].pop(0))
            assert not answer.late
            answered += pairs(answer)
    lefts = [row for row, _ in answered]
    assert sorted(set(lefts)) == sorted(set(sides["left"]))
    assert sorted(answered) == play(lambda: IntervalJoin(before_ns=5, after_ns=5), sides, take=pairs)


def test_rows_cross_processes_as_bytes():
    rows = Rows.of(made(1))
    assert Rows.from_bytes(rows.to_bytes()).tuples() == rows.tuples()
    assert concat([rows, rows]).tuples() == rows.tuples() * 2
    with pytest.raises(Exception, match="rows: expected"):
        Rows.from_bytes(rows.to_bytes()[:-1])
