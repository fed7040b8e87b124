"""Station files of environment networks: tab-separated, one station per file, device status in every line.

``parameter value unit yyyyMMddHHmmss status`` with status 00 measuring, 01 calibrating, 02 fault, local time; the
form that networks have sent since circular letter 5417/BTNMT-TCMT of 2016 and TT 10/2021/TT-BTNMT, article 39.
"""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from smartstream.ingest.line_feed import RefusedError
from smartstream.ingest.lines import LineSource
from smartstream.ingest.sensor_lines import ReadingFeed
from smartstream.model.items import Reading
from smartstream.model.quantities import QUANTITIES
from smartstream.model.time import parse_instant

_STATUS: Final = {"00": "measuring", "01": "calibrating", "02": "fault"}
_NAMES: Final = {
    "temp": "temperature",
    "rh": "humidity",
    "hum": "humidity",
    "press": "pressure",
    "windspd": "wind_speed",
    "windspeed": "wind_speed",
    "winddir": "wind_direction",
    "rainfall": "rain",
    "leq": "noise",
    "laeq": "noise",
    "level": "water_level",
    "waterlevel": "water_level",
    **{kind.replace("_", ""): kind for kind in QUANTITIES},
}
_STAMP: Final = re.compile(r"(.+?)_\d{14}")


def station_of(path: Path) -> str:
    """The station a file belongs to: its name without suffixes and without the time it was made."""
    name = path.name.split(".", 1)[0]
    stamped = _STAMP.fullmatch(name)
    return stamped[1] if stamped else name


class StationLines(ReadingFeed):
    """Readings of one station.

    Args:
        source: The file.
        station: Whose readings they are, see ``station_of``.
        timezone: Of the times in it.
        resume: What ``snapshot`` returned.
    """

    def __init__(
        self, source: LineSource, *, station: str, timezone: ZoneInfo, resume: dict[str, Any] | None = None
    ) -> None:
        super().__init__(source, resume)
        self._station = station
        self._timezone = timezone

    def _parse(self, line_no: int, line: bytes) -> tuple[int, Reading]:
        try:
            fields = [field.strip() for field in line.decode("utf-8-sig").split("\t")]
        except UnicodeDecodeError as e:
            raise RefusedError("bad_field", f"expected UTF-8: {e}") from None
        if len(fields) != 5:
            raise RefusedError("bad_field", f"expected 5 tab-separated fields, found {len(fields)}")
        name, value, unit, time, status = fields
        kind = _NAMES.get(re.sub(r"[\s._-]", "", name).lower())
        if kind is None:
            raise RefusedError("unknown_kind", f"expected one of {', '.join(QUANTITIES)}, found {name[:32]!r}")
        try:
            number = float(value)
        except ValueError:
            raise RefusedError("bad_field", f"expected a number, found {value[:32]!r}") from None
        if status not in _STATUS:
            raise RefusedError("unknown_status", f"expected one of {', '.join(_STATUS)}, found {status[:32]!r}")
        sensor = f"{self._station}-{kind}"
        found = self._registry.resolve(sensor, self._station, kind, unit)
        return self._reading(line_no, self._instant(time), sensor, found, number, _STATUS[status])

    def _instant(self, text: str) -> int:
        if not re.fullmatch(r"\d{14}", text, re.ASCII):
            raise RefusedError("bad_time", f"expected yyyyMMddHHmmss, found {text[:32]!r}")
        try:
            local = datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=self._timezone)
            return parse_instant(local.isoformat())
        except ValueError as e:
            raise RefusedError("bad_time", f"expected yyyyMMddHHmmss: {e}") from None
