"""Outcomes as events: ids, fields and sentences."""

from __future__ import annotations

import msgspec
import pytest
from pydantic import TypeAdapter

from smartstream.config.rules import Rule
from smartstream.config.site import parse_site
from smartstream.rules.compile import BUILT, utc_offsets
from smartstream.rules.events import EventWriter
from smartstream.rules.outcome import Explanation, SignalFact, Violation
from smartstream.rules.text_vi import ACTS, CLASSES, REASONS, sentence

SITE = """
[site]
id = "demo"
province = "19"
ward = "05482"
[[junction]]
id = "j1"
name = "Ngã tư Tân Long"
"""
FOUND = Violation(
    kind="red_light",
    verdict="suspected",
    reasons=(),
    time_ns=1_790_000_012_040_000_000,
    until_ns=None,
    camera="cam-s",
    run=0,
    track=118,
    class_="motorcycle",
    lane="S1",
    line="S-stop",
    zone=None,
    signal=SignalFact(group="S-through", state="red", since_s=19.6),
    dilemma=False,
    explanation=Explanation(facts={}, intervals_ns={"crossing": (1_790_000_012_000_000_000,) * 2}, thresholds={}),
)


@pytest.fixture
def writer(tmp_path):
    site = parse_site(SITE, folder=tmp_path)
    return EventWriter(site, site.junction[0])


def also(**changes):
    return msgspec.structs.replace(FOUND, **changes)


def test_a_suspicion_reads_as_the_interface_says(writer):
    event = writer.event(FOUND)
    assert event.type == "vn.ioc.violation.red_light.suspected.v1"
    assert (event.subject, event.time) == ("j1/cam-s/S1", "2026-09-21T14:13:32.040Z")
    assert event.data["track"] == "cam-s/0/118"
    assert event.data["signal"] == {"group": "S-through", "state": "red", "since_s": 19.6}
    assert event.data["text"] == "Xe máy nghi vượt đèn đỏ tại Ngã tư Tân Long, làn S1, 21:13:32"
    assert {c["clause"] for c in event.data["clauses"]} >= {"7.7.c"}
    assert event.to_json() == writer.event(FOUND).to_json()


def test_a_retraction_names_the_suspicion_it_takes_back(writer):
    taken = writer.event(also(verdict="retracted", reasons=("officer_control",)))
    assert taken.type == "vn.ioc.violation.red_light.retracted.v1"
    assert taken.data["retracts"] == writer.event(FOUND).id != taken.id
    assert taken.data["evidence_id"] == writer.event(FOUND).data["evidence_id"], "the package accuses nobody any more"


def test_a_speed_from_pictures_is_no_violation(writer):
    explanation = Explanation(facts={"speed_kmh": 72.4, "limit_kmh": 50.0}, intervals_ns={}, thresholds={})
    event = writer.event(also(kind="speeding", verdict="estimated", signal=None, explanation=explanation))
    assert event.type == "vn.ioc.traffic.speeding.estimated.v1"
    assert "clauses" not in event.data
    assert event.data["over_kmh"] == 22.4
    assert event.data["text"].startswith("Xe máy chạy khoảng 72 km/h, giới hạn 50 km/h tại Ngã tư Tân Long")


def test_every_kind_class_verdict_and_reason_has_words():
    for kind in ACTS:
        for class_ in CLASSES:
            for verdict, reasons in (("suspected", ()), ("undecided", tuple(REASONS)), ("suppressed", ("flood",))):
                text = sentence(
                    also(kind=kind, class_=class_, verdict=verdict, reasons=reasons),
                    junction="Ngã tư",
                    timezone="Asia/Ho_Chi_Minh",
                )
                assert text.endswith(("21:13:32", *REASONS.values()))
                assert text[0].isupper()


def test_the_engine_has_every_kind_of_the_site_file():
    kinds = {c["properties"]["kind"]["const"] for c in _rule_schemas()}
    assert kinds == BUILT


def _rule_schemas():
    return TypeAdapter(Rule).json_schema()["$defs"].values()


def test_offsets_follow_the_clock_changes_of_a_zone():
    assert utc_offsets("Asia/Ho_Chi_Minh") == ((0, 7 * 3600),)
    berlin = dict(utc_offsets("Europe/Berlin"))
    assert berlin[1_774_746_000] == 7200  # 2026-03-29T01:00Z
    assert berlin[1_792_890_000] == 3600  # 2026-10-25T01:00Z
