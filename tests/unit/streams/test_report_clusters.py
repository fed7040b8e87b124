"""Clusters look only where a match can be: what they tell is what looking everywhere would tell."""

import random
import tracemalloc

import pytest

from smartstream.model.time import NS
from smartstream.streams.report_clusters import Clusters, Voice

WORDS = [f"{a}{b}" for a in "bcdghklm" for b in ("a", "an", "ang", "oi", "uong", "em")]


class Everywhere(Clusters):
    def _near(self, voice, category, words):
        return {cluster.id for cluster in self._open.values() if cluster.category == category.id}


def voices(seed, count=400):
    rng, at = random.Random(seed), 0
    for i in range(count):
        at += rng.randrange(1, 200) * NS
        same = random.Random(rng.randrange(40))
        text = [same.choice(WORDS) for _ in range(same.randrange(12))]
        yield Voice(
            report=f"r{i}",
            at_ns=at,
            category=rng.choice(("other", "flood", "accident", "other")),
            position=None if rng.random() < 0.4 else (21.6 + rng.randrange(8) / 1000, 105.8 + rng.randrange(8) / 1000),
            address=rng.choice(("", "Số 1 Hùng Vương", "số 1 hùng vương")) if rng.random() < 0.3 else "",
            text=" ".join(word if rng.random() < 0.9 else rng.choice(WORDS) for word in text),
            reporter="",
            ward=None,
        )


@pytest.mark.parametrize("seed", range(4))
def test_nothing_is_missed_by_not_looking_everywhere(seed):
    one, all_of_them = Clusters(), Everywhere()
    for i, voice in enumerate(voices(seed)):
        assert one.add(voice) == all_of_them.add(voice)
        assert one.expire(voice.at_ns) == all_of_them.expire(voice.at_ns)
        if i == 200:
            state, one = one.snapshot(), Clusters()
            one.restore(state)
    assert one.expire(2**62) == all_of_them.expire(2**62)
    assert [len(left) for left in (one, one._spoken, one._cells, one._unplaced)] == [0] * 4, (
        "what is closed is forgotten"
    )


def test_a_word_that_everybody_uses_costs_nobody_anything():
    """Each report with a place copied the names of all that share a word; in bytes, since sets are copied in C."""
    clusters = Clusters()
    for i in range(4000):
        place = (10 + i / 100, 105.0)
        clusters.add(Voice(f"r{i}", i * NS, "noise", place, "", f"tiếng ồn lớn {i}", f"u{i}", None))
    tracemalloc.start()
    clusters.add(Voice("last", 4000 * NS, "noise", (60.0, 105.0), "", "tiếng ồn lớn 4000", "last", None))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100_000
