"""A run over several hosts: each starts one process of it; Bytewax's own variables say which, and where the others are.

The process of number 0 makes what all share (recovery folder, files that are written) and lets live lines in.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from smartstream.config.site import Site
from smartstream.errors import InvalidInputError
from smartstream.ingest.source import STOP

_PATIENCE_S: Final = 60.0


class Hosts(msgspec.Struct, frozen=True):
    """Where the processes of a run are.

    Attributes:
        index: Number of this one.
        addresses: ``HOST:PORT`` of each, in the same order everywhere.
    """

    index: int
    addresses: tuple[str, ...]

    @classmethod
    def of(cls, variables: Mapping[str, str]) -> Hosts | None:
        """What ``BYTEWAX_PROCESS_ID`` (or the name of a pod) and the addresses say; ``None`` without them.

        Raises:
            InvalidInputError: Half of it, or no addresses.
        """
        number = variables.get("BYTEWAX_PROCESS_ID") or variables.get("BYTEWAX_POD_NAME", "").removeprefix(
            variables.get("BYTEWAX_STATEFULSET_NAME", "") + "-"
        )
        listed, file = variables.get("BYTEWAX_ADDRESSES"), variables.get("BYTEWAX_HOSTFILE_PATH")
        if not number and listed is None and file is None:
            return None
        if not number or (listed is None and file is None):
            expected = "BYTEWAX_PROCESS_ID, and BYTEWAX_HOSTFILE_PATH or BYTEWAX_ADDRESSES"
            raise InvalidInputError(f"a run over several hosts: expected {expected}")
        try:
            text = listed if listed is not None else Path(str(file)).read_text(encoding="utf-8")
        except (OSError, ValueError) as e:
            raise InvalidInputError(f"BYTEWAX_HOSTFILE_PATH {file}: cannot be read: {e}") from None
        addresses = tuple(part.strip() for part in text.replace(";", "\n").splitlines() if part.strip())
        for address in addresses:
            _, colon, port = address.rpartition(":")
            if not colon or not port.isdecimal() or not 0 < int(port) < 65_536:
                raise InvalidInputError(f"addresses of a run over several hosts: expected HOST:PORT, found {address!r}")
        if not number.isdecimal() or int(number) >= len(addresses):
            raise InvalidInputError(f"BYTEWAX_PROCESS_ID {number}: expected a number below {len(addresses)} addresses")
        return cls(int(number), addresses)

    @property
    def first(self) -> bool:
        """Whether this one makes what all share."""
        return self.index == 0


def check_shared(site: Site, *, processes: int, nats: bool) -> None:
    """What several hosts cannot do.

    Raises:
        InvalidInputError: More processes on this host, or a broker that only one of them would have.
    """
    if processes != 1:
        raise InvalidInputError("--processes: of a run over several hosts each process is started by itself")
    if nats and site.nats.url == "embedded":
        raise InvalidInputError('nats.url: expected nats://HOST:PORT, found "embedded": several hosts share one broker')


def wait_for_recovery(stamp: Path) -> None:
    """Wait for the first process to have made the recovery folder, which all hosts see.

    Raises:
        InvalidInputError: It did not.
    """
    until_s = time.monotonic() + _PATIENCE_S
    while not stamp.exists() and time.monotonic() < until_s and not STOP.is_set():
        time.sleep(0.1)
    if not stamp.exists():
        raise InvalidInputError(f"{stamp.parent}: expected the recovery folder of process 0, on storage of all hosts")
