import random

from smartstream.model.time import MAX_NS
from smartstream.streams.merge import SideMerge


def test_nothing_is_released_before_every_side_has_passed_it():
    merge = SideMerge(("signals", "cam"))
    merge.push("cam", 10, "frame 10")
    merge.mark("cam", 10)
    assert merge.release() == []
    merge.push("signals", 7, "red")
    merge.mark("signals", 9)
    assert merge.release() == [(7, "red")]
    merge.mark("signals", MAX_NS)
    assert merge.release() == [(10, "frame 10")]


def test_equal_times_follow_the_rank_of_the_side():
    merge = SideMerge(("signals", "cam"))
    merge.push("cam", 5, "frame")
    merge.push("signals", 5, "red")
    merge.mark("cam", 5)
    merge.mark("signals", 5)
    assert [item for _, item in merge.release()] == ["red", "frame"]


def test_what_comes_after_its_release_is_refused_not_lost_in_silence():
    merge = SideMerge(("cam",))
    merge.push("cam", 5, "a")
    merge.mark("cam", 6)
    merge.release()
    assert not merge.push("cam", 6, "late")
    assert merge.push("cam", 7, "fine")


def test_an_idle_side_holds_nobody_up_until_it_speaks_again():
    merge = SideMerge(("cam-a", "cam-b"))
    merge.push("cam-a", 100, "a")
    merge.mark("cam-a", 100)
    merge.mark("cam-b", 10, idle=True)
    assert merge.release() == [(100, "a")]
    merge.mark("cam-b", 150)
    merge.push("cam-a", 170, "b")
    merge.mark("cam-a", 170)
    assert merge.release() == []


def test_the_end_of_a_feed_does_not_run_ahead_of_a_camera_that_is_idle():
    merge = SideMerge(("signals", "cam-a"))
    merge.mark("signals", MAX_NS)
    merge.push("cam-a", 100, "a")
    merge.push("cam-a", 140, "gap")
    merge.mark("cam-a", 140, idle=True)
    assert merge.release() == [(100, "a"), (140, "gap")], "what it said before it fell silent is judged"
    assert merge.push("cam-a", 200, "b"), "and it is not late when it speaks again"
    merge.mark("cam-a", 200)
    assert merge.release() == [(200, "b")]
    assert not merge.ended


def test_arrival_order_and_cuts_change_nothing():
    rng = random.Random(1)
    sides = ("s", "a", "b")
    feeds = {side: sorted((rng.randrange(1000), f"{side}{i}") for i in range(60)) for side in sides}

    def play(order_seed, cut):
        rng = random.Random(order_seed)
        merge, out, left = SideMerge(sides), [], {side: list(feed) for side, feed in feeds.items()}
        while any(left.values()):
            side = rng.choice([s for s in sides if left[s]])
            at, name = left[side].pop(0)
            assert merge.push(side, at, name)
            merge.mark(side, at - 1 if left[side] and left[side][0][0] == at else at if left[side] else MAX_NS)
            out += merge.release()
            if cut and rng.random() < 0.2:
                state, merge = merge.snapshot(), SideMerge(sides)
                merge.restore(state)
        return out

    expected = play(0, cut=False)
    assert len(expected) == 180
    for seed in range(1, 20):
        assert play(seed, cut=seed % 2 == 1) == expected
