"""Pictures across the processes of a run: each lends the others the video that its cameras hold.

A junction is judged in whichever process its key falls to, its cameras are read wherever their partitions are. So a
process answers, on a Unix socket in the run's own folder, what another one wants cut from its rings, and the same
package is made whoever makes it. Processes on other hosts do not see the folder: what they hold is told as missing.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
import numpy as np

from smartstream.errors import SmartstreamError, UnavailableError
from smartstream.evidence.pictures import Ring
from smartstream.observe.logging import get_logger

_PATIENCE_S: Final = 60.0
"""A clip of minutes is cut within it."""
_log = get_logger("rings")


class _Request(msgspec.Struct, frozen=True):
    camera: str
    what: Literal["has", "still", "clip"]
    at: tuple[int, ...] = ()


class _Reply(msgspec.Struct, frozen=True):
    """What was asked for; or why it cannot be had.

    Attributes:
        here: The camera is read in that process.
        found: The still or clip; the pixels of a still as bytes.
        shape: Of its pixels.
        why: The message of the error, word for word: a package says it, whoever makes it.
    """

    here: bool
    found: dict[str, Any] | None = None
    shape: tuple[int, ...] = ()
    why: str | None = None


class Rings:
    """Rings of every process of a run on this host.

    Args:
        own: Rings of this process by camera.
        folder: The run's folder.
        index: Number of this process.
        processes: How many there are.
    """

    def __init__(self, own: Mapping[str, Ring], folder: Path, index: int, processes: int) -> None:
        self._own = own
        self._others = [folder / f"rings-{i}" for i in range(processes) if i != index]
        self._known: dict[str, _Lent] = {}
        self._listener: Listener | None = None
        try:
            self._listener = Listener(str(folder / f"rings-{index}"), "AF_UNIX", backlog=16)
        except OSError as e:
            _log.warning("video is not lent to the other processes", why=e.strerror or str(e))
            return
        threading.Thread(target=self._serve, args=(self._listener,), name="rings", daemon=True).start()

    def get(self, camera: str) -> Ring | None:
        """The recent past of a camera, wherever it is read; ``None`` where nobody has it."""
        if camera in self._own:
            return self._own[camera]
        if camera not in self._known:
            for address in self._others:
                with suppress(OSError, EOFError):
                    if _ask(address, _Request(camera, "has")).here:
                        self._known[camera] = _Lent(address, camera)
                        break
        return self._known.get(camera)

    def close(self) -> None:
        """Lend nothing any more."""
        if self._listener is not None:
            self._listener.close()

    def _serve(self, listener: Listener) -> None:
        while True:
            try:
                connection = listener.accept()
            except OSError:
                return  # closed
            with connection, suppress(EOFError, OSError):  # who asked has gone
                self._answer(connection)

    def _answer(self, connection: Connection[Any, Any]) -> None:
        request = msgspec.msgpack.decode(connection.recv_bytes(), type=_Request)
        ring = self._own.get(request.camera)
        reply = _Reply(here=ring is not None)
        if ring is not None and request.what != "has":
            try:
                found = dict(ring.still(*request.at) if request.what == "still" else ring.clip(*request.at))
                pixels = found.pop("rgb", None)
                shape = () if pixels is None else pixels.shape
                reply = _Reply(
                    here=True, found=found if pixels is None else found | {"rgb": pixels.tobytes()}, shape=shape
                )
            except SmartstreamError as e:
                reply = _Reply(here=True, why=str(e))
        with suppress(OSError):
            connection.send_bytes(msgspec.msgpack.encode(reply))


class _Lent:
    """The ring of a camera that another process reads."""

    def __init__(self, address: Path, camera: str) -> None:
        self._address, self._camera = address, camera

    def clip(self, from_ns: int, to_ns: int) -> Any:
        """A span, as it came."""
        return self._fetch(_Request(self._camera, "clip", (from_ns, to_ns))).found

    def still(self, at_ns: int) -> Any:
        """A picture."""
        reply = self._fetch(_Request(self._camera, "still", (at_ns,)))
        found = dict(reply.found or {})
        return found | {"rgb": np.frombuffer(found["rgb"], np.uint8).reshape(reply.shape)}

    def _fetch(self, request: _Request) -> _Reply:
        try:
            reply = _ask(self._address, request)
        except (OSError, EOFError) as e:
            raise UnavailableError(f"the process that holds the video of {self._camera} does not answer: {e}") from e
        if reply.why is not None:
            raise UnavailableError(reply.why)
        return reply


def _ask(address: Path, request: _Request) -> _Reply:
    with Client(str(address), "AF_UNIX") as connection:
        connection.send_bytes(msgspec.msgpack.encode(request))
        if not connection.poll(_PATIENCE_S):
            raise TimeoutError(f"no answer within {_PATIENCE_S:g} s")
        return msgspec.msgpack.decode(connection.recv_bytes(), type=_Reply)
