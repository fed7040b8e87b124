"""What events say of a store: they left the machine while it was so, out of reach of whoever changes it since."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from smartstream.errors import UNREADABLE, InvalidInputError


class Told(msgspec.Struct, frozen=True):
    """What an event says.

    Attributes:
        where: Where it stands.
        evidence: Id of the package.
        verb: ``evidence``, ``confirmed``, ``rejected`` or ``retracted``.
        hash: SHA-256 of its manifest, of an ``evidence`` event.
        officer: Who decided; ``None`` where the run did.
        at: When that was.
    """

    where: str
    evidence: str
    verb: str
    hash: str | None = None
    officer: str | None = None
    at: str | None = None


def told_by(path: Path) -> list[Told]:
    """Everything that an event file says of packages.

    Raises:
        InvalidInputError: It cannot be read, or a line of it is no event.
    """
    found = []
    try:
        with path.open("rb") as file:
            for n, line in enumerate(file, start=1):
                event: dict[str, Any] = msgspec.json.decode(line)
                class_, verb = event["type"].split(".")[2:5:2]
                data = event["data"]
                if class_ == "violation" and verb in ("evidence", "confirmed", "rejected", "retracted"):
                    more = {name: data.get(name) for name in ("hash", "officer", "at")}
                    found.append(Told(f"{path.name}:{n}", str(data.get("evidence_id")), verb, **more))
    except OSError as e:
        raise InvalidInputError(f"{path}: cannot be read: {e.strerror}") from None
    except (*UNREADABLE, KeyError, TypeError, ValueError, AttributeError):
        raise InvalidInputError(f"{path}, line {n}: expected an event") from None
    return found
