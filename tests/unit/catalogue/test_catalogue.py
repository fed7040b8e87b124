"""Every system of the inventory has a place, a schema that its sample fits, and what must stay out is refused."""

import json
import re
from pathlib import Path

import msgspec
import pytest

from smartstream.catalogue.records import RECORDS, STAY_OUT, RefusedRecordError, read_record
from smartstream.catalogue.systems import load_systems, page
from smartstream.config.fields import FEEDS
from smartstream.config.site import Site
from smartstream.ingest.connectors import CONNECTORS, SCHEMAS
from smartstream.ingest.indicator_lines import IndicatorLines
from smartstream.ingest.lines import file_source
from smartstream.model.items import DeadLetter, Figures
from smartstream.model.time import NS

ROOT = Path(__file__).parents[3]
INVENTORY = ROOT.parent / "shared/domain/systems.md"
SYSTEMS = load_systems()


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda s: s.id)
def test_every_system_has_a_way_in_and_a_sample_that_fits(system):
    if system.refused:
        assert system.refused in STAY_OUT
        return
    assert system.enters in Site.model_fields
    if system.record:
        assert read_record(system.sample).name == system.record
    elif system.enters in SCHEMAS:
        msgspec.convert(system.sample, SCHEMAS[system.enters])


def test_every_record_belongs_to_a_system():
    assert {system.record for system in SYSTEMS} - {""} == RECORDS.keys()
    assert len({system.id for system in SYSTEMS}) == len(SYSTEMS)


@pytest.mark.shared
@pytest.mark.skipif(not INVENTORY.exists(), reason=f"no {INVENTORY}")
def test_every_core_and_connected_row_of_the_inventory_has_its_place():
    text = INVENTORY.read_text(encoding="utf-8")
    rows = [line.split("|") for line in text.splitlines() if re.match(r"\| \d-\d", line)]
    wanted = {cells[1].strip() for cells in rows if re.search(r"\b(CORE|CONN)\b", cells[-2])}
    wanted.discard("1-32")
    ours = {row for system in SYSTEMS for row in system.rows}
    assert wanted - ours <= set(), sorted(wanted - ours)


def test_the_page_is_the_one_that_the_catalogue_makes():
    assert (ROOT / "docs/catalogue.md").read_text(encoding="utf-8") == "\n".join(page()) + "\n"


PATIENT = {"time": 1, "record": "health.aggregate", "area": "1", "what": "fever", "count": 9}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        *(({"time": 1, "record": name, "area": "1", "secret": "plan"}, "must_stay_out") for name in STAY_OUT),
        ({**PATIENT, "patient": "Nguyễn Văn A"}, "must_stay_out"),
        ({**PATIENT, "birth_date": "1990-01-01"}, "must_stay_out"),
        ({**PATIENT, "count": 2}, "bad_field"),
        ({"time": 1, "record": "doc.event", "area": "1", "document": "1", "sender": "a", "receiver": "b",
          "state": "sent", "secrecy": "mật"}, "must_stay_out"),
        ({"time": 1, "record": "doc.event", "area": "1", "document": "1", "sender": "a", "receiver": "b",
          "state": "sent"}, "must_stay_out"),
        ({"time": 1, "record": "dvc.queue", "area": "1", "desk": "q", "waiting": 1, "counters_open": 1,
          "faces": []}, "bad_field"),
        ({"time": 1, "record": "etc.passage", "area": "1", "station": "t", "lane": "1", "vehicle": "car",
          "plate_hmac": "20B-123.45"}, "bad_field"),
        ({"time": 1, "record": "no.such", "area": "1"}, "unknown_record"),
        ({"time": 1, "record": 7, "area": "1"}, "bad_field"),
    ],
)  # fmt: skip
def test_what_must_stay_out_is_refused_and_never_shown(tmp_path, fields, reason):
    with pytest.raises(RefusedRecordError) as refused:
        read_record(fields)
    assert refused.value.reason == reason
    path = tmp_path / "i.ndjson"
    path.write_text(json.dumps(fields, ensure_ascii=False) + "\n")
    items = IndicatorLines(file_source("i", path, lateness_ns=NS)).read()
    [letter] = [item for item in items if isinstance(item, DeadLetter)]
    assert (letter.reason, letter.payload) == (reason, "")
    assert not any(item.lines for item in items if isinstance(item, Figures))


def test_connectors_name_real_classes():
    from importlib import import_module

    for connector in CONNECTORS:
        module, _, name = connector.reader.rpartition(".")
        assert getattr(import_module(f"smartstream.ingest.{module}"), name)
        assert set(connector.tables) <= set(Site.model_fields)
        assert "." not in connector.module, "looking for a part of a package that is absent raises"
        assert connector.installed in (True, False)


def test_every_feed_of_a_site_file_is_listed():
    assert {table for connector in CONNECTORS for table in connector.tables} == {*FEEDS, "camera"}
    assert SCHEMAS.keys() == {*FEEDS, "camera (tracks:)"}
