import pytest

from smartstream.ingest.jump import JumpGuard
from smartstream.model.time import NS

H = 3600 * NS


def decide(times):
    guard = JumpGuard()
    decided = [(ok, at) for t in times for ok, at, _ in guard.push(t, t)] + [(ok, at) for ok, at, _ in guard.end()]
    assert sorted(at for _, at in decided) == sorted(times), "every item is decided exactly once"
    return [at for ok, at in decided if not ok]


@pytest.mark.parametrize(
    ("times", "refused"),
    [
        ([10 * H, 10 * H + NS, 10 * H + 2 * NS], []),
        ([10 * H], []),
        ([10 * H, 99_999 * H, 10 * H + NS, 10 * H + 2 * NS], [99_999 * H]),  # one line from the far future
        ([99_999 * H, 10 * H, 10 * H + NS, 10 * H + 2 * NS], [99_999 * H]),  # the very first line
        ([10 * H, 10 * H + NS, 99_999 * H], [99_999 * H]),  # the very last line
        ([10 * H, 10 * H + NS, 12 * H, 12 * H + NS], []),  # a real pause has a witness
        ([10 * H, 10 * H + NS, 12 * H], []),  # a real pause before the last line
        ([10 * H, 10 * H + 1, 5_000 * H, 9_000 * H, 10 * H + 2], [5_000 * H, 9_000 * H]),  # two different wild ones
        ([10 * H, 12 * H, 16 * H, 30 * H], []),  # it speaks seldom
        ([i * 2 * H for i in range(200)], []),
        ([10 * H, 99_999 * H], [99_999 * H]),
        ([10 * H, 20 * H, 15 * H], [10 * H, 20 * H, 15 * H]),  # which of them is right nobody knows
    ],
)
def test_a_jump_needs_a_witness(times, refused):
    assert sorted(decide(times)) == sorted(refused)


def test_a_silence_makes_nobody_a_liar():
    """A feed that speaks seldom, after a week of nothing: every line came alone, and none was ever believed."""
    guard, believed = JumpGuard(limit_ns=6 * H), []
    for at in (10 * H, 10 * H + NS, 200 * H, 200 * H + 3 * NS):
        believed += [t for ok, t, _ in guard.push(at, at) if ok]
        believed += [t for ok, t, _ in guard.pause() if ok]
    assert believed == [10 * H, 10 * H + NS, 200 * H, 200 * H + 3 * NS]
