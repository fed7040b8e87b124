"""States that outlive a process: a step reads back only what a build of the same version wrote."""

from __future__ import annotations

from smartstream.errors import InvalidInputError


def check_version(what: str, found: object, expected: int) -> None:
    """Refuse a state of another version.

    Args:
        what: Whose state it is.
        found: The version it says, ``None`` when it says none.
        expected: The version that this build writes.

    Raises:
        InvalidInputError: They differ.
    """
    if found != expected:
        raise InvalidInputError(
            f"{what} state: expected version {expected}, found {found}: another build made this recovery folder; "
            "finish with that build, or start anew with another folder"
        )
