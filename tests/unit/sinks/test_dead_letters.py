from __future__ import annotations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from smartstream.model.event import CloudEvent, make_event
from smartstream.sinks.dead_letters import PER_EPOCH, Thinner, Thinning, refused_event


def letter(n: int, reason: str = "late", source: str = "signals", count: int = 1) -> CloudEvent:
    return make_event(
        site="t", entity=source, kind=("dlq", "ingest", "observed"), subject=reason, at_ns=n * 10**9, key=str(n),
        data={"stage": "ingest", "reason": reason, "count": count},
    )  # fmt: skip


def test_few_letters_all_pass() -> None:
    thinner = Thinner({})
    assert all(thinner.passes(letter(n)) for n in range(PER_EPOCH))
    assert thinner.close_epoch() == []


def test_other_events_always_pass() -> None:
    thinner = Thinner({})
    event = make_event(
        site="t", entity="cam", kind=("violation", "red_light", "suspected"), subject="", at_ns=0, key="", data={}
    )
    assert all(thinner.passes(event) for _ in range(10 * PER_EPOCH))


def test_each_source_and_reason_has_its_own_allowance() -> None:
    thinner = Thinner({})
    for source in ("a", "b"):
        for reason in ("late", "broken_json"):
            assert sum(thinner.passes(letter(n, reason, source)) for n in range(300)) == PER_EPOCH
    assert len(thinner.close_epoch()) == 4


def test_lines_of_a_letter_count() -> None:
    thinner = Thinner({})
    for n in range(PER_EPOCH + 1):
        thinner.passes(letter(n, count=7))
    (summary,) = thinner.close_epoch()
    assert summary.data["count"] == 7 * (PER_EPOCH + 1)


def received(events: list[CloudEvent]) -> int:
    """What a reader knows: the highest total or, if more, the letters it saw (a replay may cut its epochs so that
    none floods, after an attempt that did).
    """
    totals = [e.data["count"] for e in events if e.data.get("summary")]
    singly = {e.id for e in events if not e.data.get("summary")}
    return max(len(singly), *totals, 0)


@settings(deadline=None)
@given(st.lists(st.integers(0, 3 * PER_EPOCH), min_size=1, max_size=6), st.data())
def test_the_total_is_exact_over_kills_and_other_epochs(epochs: list[int], data: st.DataObject) -> None:
    letters = [letter(n) for n in range(sum(epochs))]
    sent: list[CloudEvent] = []

    def epoch(thinner: Thinner, batch: list[CloudEvent]) -> None:
        sent.extend(event for event in batch if thinner.passes(event))
        sent.extend(thinner.close_epoch())

    state, at = msgspec.msgpack.encode({}), 0
    for size in epochs:
        if data.draw(st.booleans()):  # an attempt whose commit never came
            lost = data.draw(st.integers(0, len(letters) - at))
            epoch(Thinner(msgspec.msgpack.decode(state, type=Thinning)), letters[at : at + lost])
        thinner = Thinner(msgspec.msgpack.decode(state, type=Thinning))
        epoch(thinner, letters[at : at + size])
        state, at = msgspec.msgpack.encode(thinner.state()), at + size
    assert received(sent) == len(letters)
    assert len({e.to_json() for e in sent}) == len({e.id for e in sent}), "the same id, the same bytes"


def test_the_letter_of_a_refused_event() -> None:
    event = make_event(
        site="t", entity="cam", kind=("violation", "red_light", "suspected"), subject="j1", at_ns=5, key="1", data={}
    )
    refused = refused_event(event.to_json(), "too large")
    assert refused is not None
    assert refused.type == "vn.ioc.dlq.sinks.observed.v1"
    assert refused.data["place"] == event.id
    assert refused_event(refused.to_json(), "too large") is None
