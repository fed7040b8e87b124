"""What OASIS CAP 1.2 (1 July 2010, section 3.2) says of a message, as far as its XML schema holds it.

Elements in their order with how often each may stand, code values, and the forms of times and places.
"""

from __future__ import annotations

import re
from datetime import datetime
from xml.etree import ElementTree as ET

NAMESPACE = "urn:oasis:names:tc:emergency:cap:1.2"
MANY = 10**6
ALERT = [
    ("identifier", 1, 1), ("sender", 1, 1), ("sent", 1, 1), ("status", 1, 1), ("msgType", 1, 1), ("source", 0, 1),
    ("scope", 1, 1), ("restriction", 0, 1), ("addresses", 0, 1), ("code", 0, MANY), ("note", 0, 1),
    ("references", 0, 1), ("incidents", 0, 1), ("info", 0, MANY),
]  # fmt: skip
INFO = [
    ("language", 0, 1), ("category", 1, MANY), ("event", 1, 1), ("responseType", 0, MANY), ("urgency", 1, 1),
    ("severity", 1, 1), ("certainty", 1, 1), ("audience", 0, 1), ("eventCode", 0, MANY), ("effective", 0, 1),
    ("onset", 0, 1), ("expires", 0, 1), ("senderName", 0, 1), ("headline", 0, 1), ("description", 0, 1),
    ("instruction", 0, 1), ("web", 0, 1), ("contact", 0, 1), ("parameter", 0, MANY), ("resource", 0, MANY),
    ("area", 0, MANY),
]  # fmt: skip
AREA = [
    ("areaDesc", 1, 1), ("polygon", 0, MANY), ("circle", 0, MANY), ("geocode", 0, MANY), ("altitude", 0, 1),
    ("ceiling", 0, 1),
]  # fmt: skip
CODES = {
    "status": {"Actual", "Exercise", "System", "Test", "Draft"},
    "msgType": {"Alert", "Update", "Cancel", "Ack", "Error"},
    "scope": {"Public", "Restricted", "Private"},
    "category": {
        "Geo",
        "Met",
        "Safety",
        "Security",
        "Rescue",
        "Fire",
        "Health",
        "Env",
        "Transport",
        "Infra",
        "CBRNE",
        "Other",
    },
    "urgency": {"Immediate", "Expected", "Future", "Past", "Unknown"},
    "severity": {"Extreme", "Severe", "Moderate", "Minor", "Unknown"},
    "certainty": {"Observed", "Likely", "Possible", "Unlikely", "Unknown"},
}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[-+]\d\d:\d\d")
LANGUAGE = re.compile(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*")  # RFC 3066
REFERENCE = re.compile(r"[^,\s<&]+,[^,\s<&]+,\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[-+]\d\d:\d\d")


def check_cap(text: str) -> None:
    """Assert that a message keeps to all of it."""
    alert = ET.fromstring(text)
    assert alert.tag == f"{{{NAMESPACE}}}alert"
    _check(alert, ALERT)
    for info in alert.findall(f"{{{NAMESPACE}}}info"):
        _check(info, INFO)
        for area in info.findall(f"{{{NAMESPACE}}}area"):
            _check(area, AREA)
    for element in alert.iter():
        name, said = element.tag.removeprefix(f"{{{NAMESPACE}}}"), element.text or ""
        if name in CODES:
            assert said in CODES[name], (name, said)
        elif name in ("sent", "effective", "onset", "expires"):
            assert TIME.fullmatch(said), (name, said)  # never Z: the standard wants -00:00 for UTC
            assert not said.endswith("+00:00"), (name, said)
            datetime.fromisoformat(said)
        elif name == "language":
            assert LANGUAGE.fullmatch(said), said
        elif name in ("identifier", "sender"):
            assert said, name
            assert not set(said) & set(" ,<&"), (name, said)
        elif name == "circle":
            centre, radius = said.split(" ")
            lat, lon = map(float, centre.split(","))
            assert -90 <= lat <= 90
            assert -180 <= lon <= 180
            assert float(radius) >= 0
        elif name == "references":
            assert all(REFERENCE.fullmatch(one) for one in said.split(" ")), said
    if alert.findtext(f"{{{NAMESPACE}}}msgType") in ("Update", "Cancel"):
        assert alert.findtext(f"{{{NAMESPACE}}}references")


def _check(parent: ET.Element, order: list[tuple[str, int, int]]) -> None:
    """Children in the order of the sequence, each as often as it may stand."""
    found = [child.tag.removeprefix(f"{{{NAMESPACE}}}") for child in parent]
    names = [name for name, _, _ in order]
    assert set(found) <= set(names), set(found) - set(names)
    assert found == sorted(found, key=names.index), found
    for name, least, most in order:
        assert least <= found.count(name) <= most, (name, found.count(name))
