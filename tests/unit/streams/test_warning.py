"""J-30: what proposes a warning, and CAP 1.2 messages that keep to the standard, the cancelling one too."""

import sys
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from smartstream.config.site import parse_site
from smartstream.errors import ConfigError
from smartstream.model.event import make_event
from smartstream.model.facts import Fact
from smartstream.model.time import NS
from smartstream.streams.joins.warning import Warnings

sys.path.insert(0, str(Path(__file__).parents[2] / "integration"))
from cap_facts import check_cap

T0 = 1_790_000_000


def gate(sender="ioc.thai-nguyen", timezone="Asia/Ho_Chi_Minh"):
    return Warnings("demo", ZoneInfo(timezone), sender=sender)


def incident(kind, verb="opened", at=0, *, score=0.95, **more):
    data = {
        "incident": "i1",
        "join": "J-0",
        "score": score,
        "key": "wl-1 & <b>",
        "junction": None,
        "text": "Ngập <1 m & sâu",
    }
    data |= {"position": {"lat": 21.61, "lon": 105.84}, "contributors": []} | more
    return make_event(
        site="demo",
        entity="join/J-0",
        kind=("incident", kind, verb),
        subject="s",
        at_ns=(T0 + at) * NS,
        key="i1",
        data=data,
    )


def approve(at=60):
    return Fact((T0 + at) * NS, "approval", "i1", "approve", more={"by": "Trực ban"})


@pytest.mark.parametrize(
    ("kind", "mild", "severe"),
    [
        ("flood", {"depth_m": 0.1}, {"depth_m": 0.4}),
        ("crash", {"contributors": [{"kind": "report"}]}, {"contributors": [{"kind": "report"}, {"kind": "report"}]}),
        ("air_spike", {"level": 90.0, "base": 40.0}, {"level": 150.0, "base": 40.0}),
    ],
)
def test_what_is_bad_proposes_and_what_is_a_nuisance_does_not(kind, mild, severe):
    gate_ = gate()
    assert gate_.incident(incident(kind, **mild)) == []
    assert gate_.incident(incident(kind, "updated", 10, score=0.5, **severe)) == []  # not likely enough
    told = gate_.incident(incident(kind, "updated", 20, **severe))
    assert [event.type for event in told] == [f"vn.ioc.warning.{kind}.proposed.v1"]
    assert gate_.incident(incident(kind, "updated", 30, **severe)) == []  # once


def test_a_flood_of_days_proposes_the_same_however_far_the_other_joins_are():
    hour, told = 3600, []
    for slowest in (0, 47, 48.4):  # hours that every join has passed when the update comes
        gate_ = gate()
        gate_.incident(incident("flood", depth_m=0.4))
        gate_.advance((T0 + round(slowest * hour)) * NS)
        again = gate_.incident(incident("flood", "updated", round(48.5 * hour), depth_m=0.5))
        told.append([event.id for event in again])
    assert told[1:] == told[:-1]
    assert len(told[0]) == 1


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("flood", {"depth_m": 0.4}),
        ("crash", {"contributors": [{"kind": "report"}] * 2, "junction": "j1"}),
        ("air_spike", {"level": 150.0, "base": 40.0, "position": None}),
        ("spillback", {"score": 0.99}),
    ],
)
@pytest.mark.parametrize("timezone", ["Asia/Ho_Chi_Minh", "UTC", "America/New_York"])
def test_every_message_keeps_to_the_standard_and_so_does_its_cancellation(kind, more, timezone):
    gate_ = gate(timezone=timezone)
    gate_.incident(incident(kind, **more))
    gate_.approval(approve())
    (alert,) = [e.data["cap"] for e in gate_.advance((T0 + 100) * NS) if ".published." in e.type]
    check_cap(alert)
    gate_.incident(incident(kind, "retracted", 200, **more))
    (cancel,) = [e.data["cap"] for e in gate_.advance((T0 + 300) * NS) if ".published." in e.type]
    check_cap(cancel)
    assert "<msgType>Cancel</msgType>" in cancel


def test_a_sender_that_cap_does_not_allow_is_refused_in_the_site_file(tmp_path):
    site = '[site]\nid = "a"\nprovince = "19"\n[warning]\nsender = "Trực ban, tỉnh"\n'
    with pytest.raises(ConfigError, match=r"warning\.sender"):
        parse_site(site, folder=tmp_path)
