"""A plate that must join streams, without being one."""

from __future__ import annotations

import hmac
from datetime import date


def plate_pseudonym(plate: str, *, day: date, secret: bytes) -> str:
    """HMAC-SHA-256 of a plate under a key of the day: the same plate joins within a day and not beyond it.

    Args:
        plate: As read; letters and digits count, nothing else, in any case.
        day: Local day of the event.
        secret: Of the site, at least 16 bytes; whoever has it can try every plate.

    Raises:
        ValueError: The secret is too short, or nothing of the plate is left.
    """
    said = "".join(c for c in plate.upper() if c.isalnum())
    if len(secret) < 16 or not said:
        raise ValueError(f"plate pseudonym: expected a secret of 16 bytes and a plate, found {len(secret)} bytes")
    salt = hmac.digest(secret, day.isoformat().encode(), "sha256")
    return hmac.digest(salt, said.encode(), "sha256").hex()[:32]
