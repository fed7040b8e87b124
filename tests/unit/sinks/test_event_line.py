from __future__ import annotations

from datetime import timedelta, timezone

from smartstream.model.event import make_event
from smartstream.sinks.event_line import VERBS, event_line

_ZONE = timezone(timedelta(hours=7))


def line(type_: str, **data: object) -> str:
    class_, kind, verb = type_.split(".")
    event = make_event(
        site="t", entity="cam", kind=(class_, kind, verb), subject="", at_ns=1_790_000_012_040_000_000, key="",
        data=data,
    )  # fmt: skip
    return event_line(event, _ZONE).plain


def test_a_violation_speaks_vietnamese() -> None:
    text = "Xe máy nghi vượt đèn đỏ tại Ngã tư Tân Long, làn S1, 21:13:32"
    said = line("violation.red_light.suspected", text=text, lane="S1", verdict="suspected", clauses=[])
    assert said.startswith("2026-09-21 21:13:32  ● nghi vấn ")
    assert text in said
    assert said.endswith("  lane=S1")


def test_without_a_text_kind_and_fields() -> None:
    said = line("traffic.flow.updated", lane="S1", speed_mps=8.25, counts={"car": 3, "bus": None})
    assert "traffic.flow  lane=S1 speed_mps=8.25 counts=car:3" in said


def test_dead_letters_and_unknown_verbs() -> None:
    assert "✗ không dùng được" in line("dlq.ingest.observed", reason="late")
    assert "· melted" in line("env.snow.melted")


def test_words_of_citizens_command_no_terminal() -> None:
    said = line("report.cluster.opened", text="Ngập\x1b[2J\x1b]0;x\x07\n\u202exấu", street="\x9b31m\r")
    assert said.isprintable()
    assert "Ngập [2J ]0;x   xấu" in said


def test_no_verdict_by_colour_alone() -> None:
    assert len({(symbol, word) for symbol, word, _ in VERBS.values()}) == len(VERBS)
