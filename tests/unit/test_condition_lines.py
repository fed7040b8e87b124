"""What a condition names must be there: one that lifts nothing by a slip of the pen accuses who was let through."""

import json

import pytest

from smartstream.ingest.condition_lines import ConditionLines
from smartstream.ingest.lines import file_source
from smartstream.model.items import Conditions, DeadLetter, MeterReading
from smartstream.model.time import NS

T0 = 1_790_000_000


def read(folder, lines, junction="j1"):
    path = folder / "conditions.ndjson"
    path.write_text("".join(json.dumps({"time": T0, **line}) + "\n" for line in lines))
    feed = ConditionLines(
        file_source("conditions/j1/0", path, lateness_ns=NS),
        junction=junction,
        junctions=frozenset({"j1", "j2"}),
        cameras={"north": "j1", "south": "j2"},
        lanes={"j1": frozenset({"N0"}), "j2": frozenset({"S0"})},
        speaks=True,
    )
    items = feed.read()
    facts = [fact for item in items if isinstance(item, Conditions) for fact in item.facts]
    return facts, [item.reason for item in items if isinstance(item, DeadLetter)]


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ({"camera": "nroth"}, "unknown_camera"),
        ({"camera": "south", "junction": "j1"}, "unknown_camera"),
        ({"camera": "x" * 60_000}, "bad_field"),
        ({"camera": "north\u202e"}, "bad_field"),
        ({"lane": "N9"}, "unknown_lane"),
        ({"lane": "S0", "camera": "north"}, "unknown_lane"),
        ({"lane": "S0", "junction": "j1"}, "unknown_lane"),
        ({"junction": "J1"}, "unknown_junction"),
    ],
)
def test_a_place_that_is_not_there_is_a_dead_letter(tmp_path, place, reason):
    assert read(tmp_path, [{"condition": "officer_control", **place}]) == ([], [reason])


def test_every_way_to_name_a_place_of_this_junction(tmp_path):
    places = [{}, {"junction": "j1"}, {"camera": "north"}, {"lane": "N0"}, {"camera": "north", "lane": "N0"}]
    facts, dead = read(tmp_path, [{"condition": "officer_control", **place} for place in places])
    assert (len(facts), dead) == (len(places), [])
    assert read(tmp_path, [{"condition": "flood", "camera": "south"}, {"condition": "flood", "junction": "j2"}]) == (
        [],
        [],
    )


@pytest.mark.parametrize("certificate", ["", " ", "\u00a0 "])
def test_a_blank_certificate_certifies_nothing(tmp_path, certificate):
    line = {"meter": "m", "lane": "N0", "speed_kmh": 71.0, "certificate": certificate, "valid_to": "2027-01-31"}
    [reading], dead = read(tmp_path, [line])
    assert isinstance(reading, MeterReading)
    assert not reading.certified
    assert not dead
