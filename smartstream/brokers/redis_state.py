"""Hot state in Redis, shared by processes; a Redis that dies, stalls or is full stops nobody.

Every write goes to the process's own state first and to Redis from a thread of its own (``redis_writer``). When Redis
does not take it, the own state answers, the trouble is told once, and when Redis is back everything is written there
again: the order of versions makes that safe.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

import msgspec

from smartstream.brokers.hot_state import Entry, LocalState
from smartstream.brokers.redis_writer import RedisWriter
from smartstream.errors import InvalidInputError

T = TypeVar("T")
_TIMEOUT_S: Final = 0.3


class RedisState:
    """Shared hot state under ``smartstream:<site>:``.

    Args:
        url: ``redis://HOST:PORT/DB``, ``rediss://…`` or ``unix://…``.
        site: Site id.
        username: With ``password``.
        password: Of the server.

    Raises:
        InvalidInputError: The extra ``redis`` is not installed, or the address cannot be read.
    """

    def __init__(self, url: str, site: str, *, username: str | None = None, password: str | None = None) -> None:
        try:  # loaded here: a run without Redis starts sooner
            import redis
            from redis.backoff import NoBackoff
            from redis.retry import Retry
        except ImportError:
            raise InvalidInputError(f"{url}: needs the extra redis: pip install 'smartstream[redis]'") from None
        self._prefix = f"smartstream:{site}:"
        self._own = LocalState()
        try:
            self._client: Any = redis.Redis.from_url(
                url,
                username=username,
                password=password,
                socket_timeout=_TIMEOUT_S,
                socket_connect_timeout=_TIMEOUT_S,
                retry=Retry(NoBackoff(), 0),  # the client's own ten retries would cost seconds a call
                health_check_interval=0,
            )
        except ValueError as e:
            raise InvalidInputError(f"{url}: expected redis://HOST:PORT/DB: {e}") from None
        self._lock = threading.Lock()
        self._writer = RedisWriter(self._client, self._prefix, self._own, self._lock)

    def put(self, entries: Iterable[Entry]) -> None:
        """Keep each unless something later is known of it; returns at once."""
        found = list(entries)
        with self._lock:
            self._own.put(found)
            self._writer.add(found)

    def get(self, kind: str, name: str) -> Entry | None:
        """What was last said, by any process."""

        def ask() -> Entry | None:
            found = self._client.hget(self._key("state", kind), name)
            return None if found is None else _entry(kind, name, found)

        with self._lock:
            own = self._own.get(kind, name)
        shared = self._ask(ask, None)
        return max((e for e in (own, shared) if e is not None), key=lambda e: e.version, default=None)

    def near(self, kind: str, lat: float, lon: float, radius_m: float, limit: int = 100) -> list[tuple[str, float]]:
        """Names and metres of what is within the radius, nearest first."""

        def ask() -> list[tuple[str, float]] | None:
            found = self._client.geosearch(
                self._key("geo", kind), latitude=lat, longitude=lon, radius=radius_m, unit="m", sort="ASC",
                count=limit, withdist=True,
            )  # fmt: skip
            return [(name.decode(errors="replace"), float(metres)) for name, metres in found]

        shared = self._ask(ask, None)
        if shared is not None:
            return shared
        with self._lock:
            return self._own.near(kind, lat, lon, radius_m, limit)

    def first_time(self, key: str, keep_s: float) -> bool:
        """Whether a key has not been seen by any process for so long; it has from now on."""
        with self._lock:
            own = self._own.first_time(key, keep_s)
        name, keep_ms = self._key("seen", key), max(1, round(keep_s * 1000))
        shared: bool = self._ask(lambda: bool(self._client.set(name, b"1", nx=True, px=keep_ms)), own)
        return own and shared

    def watch(self, watch_list: str, members: Iterable[str]) -> None:
        """Make these the members of a list."""
        found = frozenset(members)
        with self._lock:
            self._own.watch(watch_list, found)
        if not self._ask(lambda: self._writer.write_list(watch_list, found), None):
            with self._lock:
                self._writer.add_list(watch_list)

    def watched(self, watch_list: str, member: str) -> bool:
        """Whether a list has a member."""
        with self._lock:
            own = self._own.watched(watch_list, member)
        return bool(self._ask(lambda: bool(self._client.sismember(self._key("watch", watch_list), member)), own))

    def sweep(self, before_ns: int) -> None:
        """Forget everything that was last said before an instant."""
        with self._lock:
            self._own.sweep(before_ns)
            self._writer.sweep(before_ns)

    def news(self) -> tuple[str, str] | None:
        """The next change of its health: ``opened`` with the reason, or ``closed``."""
        return self._writer.news()

    def settle(self, timeout_s: float = 10.0) -> bool:
        """Wait until Redis has everything; for tests and an orderly end."""
        return self._writer.settle(timeout_s)

    def close(self) -> None:
        """Stop writing; what Redis has not got is said."""
        self._writer.close()
        self._client.close()

    def _ask(self, work: Callable[[], T], otherwise: T) -> T:
        """What Redis says, or ``otherwise`` while it is away or what stands there is not ours."""
        if self._writer.away:
            return otherwise
        import redis

        try:
            return work()
        except redis.ResponseError:  # of this one command: what concerns all, the writer meets as well
            return otherwise
        except (redis.RedisError, OSError, ValueError) as e:
            self._writer.failed(str(e) or type(e).__name__)
            return otherwise

    def _key(self, what: str, name: str) -> str:
        return self._writer.key(what, name)


def _entry(kind: str, name: str, found: bytes) -> Entry | None:
    """What stands in Redis; ``None`` for what nobody of us has written."""
    try:
        at, revision, packed = found.split(b" ", 2)
        value, position = msgspec.msgpack.decode(packed, type=tuple[bytes, tuple[float, float] | None])
        return Entry(kind, name, int(at), int(revision), value, position)
    except ValueError:
        return None
