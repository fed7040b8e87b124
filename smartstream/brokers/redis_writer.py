"""What keeps Redis in step with a process's own state: one thread, which remembers what Redis has not got yet.

What is unwritten is remembered by name and looked up when its turn comes. So a thing that is said again and again waits
once, nothing is ever too much, and what Redis lost is simply unwritten again.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import deque
from collections.abc import Iterable
from itertools import islice
from typing import Any, Final

import msgspec

from smartstream.brokers.hot_state import Entry, LocalState
from smartstream.observe.logging import get_logger

_AWAY_S: Final = (0.5, 1.0, 2.0, 5.0)
_LOOK_S: Final = 5.0
"""How often an idle Redis is asked whether it still has everything."""
_HERE_S: Final = 3600
"""So long the sign of a process that has ended stays."""
_BATCH: Final = 500
_GONE: Final = 5_000
"""Most members that are removed by one command: a longer one would hold up everybody on that server."""
_POLE_DEG: Final = 85.05  # beyond it Redis has no places
_log = get_logger("redis")
_Name = tuple[str, str]

_PUT: Final = """
local known = redis.call('HGET', KEYS[1], ARGV[1])
local at, revision = string.match(known or '', '^(%d+) (%d+) ')
if at then
  at, revision = string.rep('0', 20 - #at) .. at, tonumber(revision)
  local new_at = string.rep('0', 20 - #ARGV[2]) .. ARGV[2]
  if at > new_at or (at == new_at and revision >= tonumber(ARGV[3])) then return 0 end
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. ARGV[3] .. ' ' .. ARGV[4])
redis.call('ZADD', KEYS[2], ARGV[5], ARGV[1])
if ARGV[6] ~= '' then redis.call('GEOADD', KEYS[3], ARGV[6], ARGV[7], ARGV[1]) end
return 1
"""
"""Upsert if later; what nobody can read is replaced. Nanoseconds are beyond a Lua number: compared as padded text;
scores of the sweep are seconds."""


class RedisWriter:
    """Writes to Redis what the own state has and Redis has not.

    Args:
        client: Of ``redis``; every failure of it is met here.
        prefix: How our keys begin.
        own: The own state, read and written under ``lock`` only.
        lock: Never held while Redis is asked.
    """

    def __init__(self, client: Any, prefix: str, own: LocalState, lock: threading.Lock) -> None:
        self._client, self._prefix, self._own, self._lock = client, prefix, own, lock
        self._put = client.register_script(_PUT)
        self._unwritten: dict[_Name, None] = {}  # in the order they go
        self._owed = 0  # so many of them, from the first, before Redis has what it must have
        self._on_way = 0
        self._refused: dict[_Name, None] = {}
        self._lists: set[str] = set()
        self._sweep_ns: int | None = None
        self._me, self._met = secrets.token_hex(8), False
        self._keys: set[str] = set()  # that Redis must have
        self._batch = _BATCH
        self._failures, self._away_until_s, self._retry_s = 0, 0.0, 0.0
        self._trouble = False
        self._news: deque[tuple[str, str]] = deque()
        self._wake, self._closed = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="redis", daemon=True)
        self._thread.start()

    def key(self, what: str, name: str) -> str:
        """Of Redis."""
        return f"{self._prefix}{what}:{name}"

    @property
    def away(self) -> bool:
        """Redis has failed a moment ago: nobody should wait for it."""
        return time.monotonic() < self._away_until_s

    def add(self, entries: Iterable[Entry]) -> None:
        """Write these; the caller holds the lock."""
        self._unwritten.update(((entry.kind, entry.name), None) for entry in entries)
        self._wake.set()

    def add_list(self, name: str) -> None:
        """Write a watch list; the caller holds the lock."""
        self._lists.add(name)
        self._wake.set()

    def sweep(self, before_ns: int) -> None:
        """Forget there, too; the caller holds the lock."""
        self._sweep_ns = before_ns
        self._wake.set()

    def news(self) -> tuple[str, str] | None:
        """The next change of its health: ``opened`` with the reason, or ``closed``."""
        return self._news.popleft() if self._news else None

    def failed(self, why: str) -> None:
        """Redis did not serve: it is left alone for a while, and may have lost everything meanwhile."""
        with self._lock:
            self._failures += 1
            self._away_until_s = time.monotonic() + _AWAY_S[min(self._failures, len(_AWAY_S)) - 1]
            self._batch = max(1, self._batch // 2)  # a slow line takes fewer at a time
            entries, lists = self._own.everything()
            self._unwritten.update(((entry.kind, entry.name), None) for entry in entries)
            self._owed, self._refused, self._on_way = len(self._unwritten), {}, 0
            self._lists.update(lists)
            self._keys.clear()
            self._tell(why)

    def settle(self, timeout_s: float) -> bool:
        """Wait until Redis has everything."""
        deadline = time.monotonic() + timeout_s
        while self.behind:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.01)
        return True

    @property
    def behind(self) -> int:
        """How much Redis has not got, trouble itself included."""
        with self._lock:
            things = len(self._unwritten) + len(self._refused) + len(self._lists) + self._on_way
            return things + (self._sweep_ns is not None) + self._trouble

    def close(self) -> None:
        """Stop writing; what Redis has not got is said."""
        self._closed.set()
        self._wake.set()
        self._thread.join(2)
        if behind := self.behind:
            _log.warning("Redis has not got everything at the end: the next run writes it", things=behind)

    def _run(self) -> None:
        while not self._closed.is_set():
            if (wait_s := self._away_until_s - time.monotonic()) > 0:
                self._closed.wait(wait_s)
                continue
            self._wake.clear()
            try:
                self._turn()
            except Exception as e:  # whatever answers at that port: no answer may end this thread in silence
                self.failed(str(e) or type(e).__name__)
                continue
            self._wake.wait(self._pause_s())

    def _pause_s(self) -> float:
        with self._lock:
            if self._unwritten or self._lists or self._sweep_ns is not None:
                return 0.0
            if self._refused:
                return max(0.0, self._retry_s - time.monotonic())
            return 0.0 if self._trouble else _LOOK_S

    def _turn(self) -> None:
        with self._lock:
            if self._refused and time.monotonic() >= self._retry_s:
                self._unwritten.update(self._refused)
                self._owed, self._refused = len(self._unwritten), {}
            caught_up = self._owed <= 0
            names = list(islice(self._unwritten, self._batch))
            for name in names:
                del self._unwritten[name]  # said again while it is on its way, it is unwritten again
            found = [entry for name in names if (entry := self._own.get(*name)) is not None]
            self._on_way = len(names)
            lists, sweep_ns = {watched: self._own.members(watched) for watched in self._lists}, self._sweep_ns
        self._write(found)
        for watched, members in lists.items():
            self.write_list(watched, members)
        if sweep_ns is not None:
            self._keys.clear()  # what becomes empty is gone
            self._sweep(sweep_ns)
        with self._lock:
            self._on_way = 0
            self._owed -= len(names)
            self._batch = min(_BATCH, 2 * self._batch)
            self._lists = {name for name in self._lists if self._own.members(name) != lists.get(name)}
            if self._sweep_ns == sweep_ns:
                self._sweep_ns = None
            if self._trouble and caught_up and self._owed <= 0 and not self._refused:
                self._trouble, self._failures = False, 0
                _log.warning("Redis serves again")
                self._news.append(("closed", ""))

    def _write(self, entries: list[Entry]) -> None:
        pipeline = self._client.pipeline(transaction=False)
        here, now_s = f"{self._prefix}here", time.time()
        pipeline.zscore(here, self._me)
        pipeline.exists(*self._keys, here)
        pipeline.zadd(here, {self._me: now_s})
        pipeline.zremrangebyscore(here, "-inf", now_s - _HERE_S)
        for entry in entries:
            lat, lon = _place(entry)
            packed = msgspec.msgpack.encode((entry.value, entry.position))
            args: list[Any] = [entry.name, entry.at_ns, entry.revision, packed, entry.at_ns / 1e9, lon, lat]
            self._put(keys=self._keys_of(entry), args=args, client=pipeline)
        seen, kept, *signed = (answers := pipeline.execute(raise_on_error=False))[:4]
        for answer in (seen, kept, *signed):
            if isinstance(answer, Exception):
                raise answer
        met, self._met = self._met, True
        if met and (seen is None or kept <= len(self._keys)):
            self._met = False
            raise LookupError("Redis has lost what it had: flushed, or evicted by its maxmemory-policy")
        errors = {}
        for entry, answer in zip(entries, answers[4:], strict=True):
            if isinstance(answer, Exception):
                errors[entry.kind, entry.name] = answer
            else:
                self._keys.update(self._keys_of(entry)[:2])
        if errors:
            self._refuse(errors, str(next(iter(errors.values()))))

    def _keys_of(self, entry: Entry) -> list[str]:
        return [self.key(what, entry.kind) for what in ("state", "said", "geo")]

    def write_list(self, name: str, members: frozenset[str]) -> bool:
        """Make these the members of a list."""
        key = self.key("watch", name)
        pipeline = self._client.pipeline(transaction=True)
        pipeline.delete(key)
        if members:
            pipeline.sadd(key, *members)
        return bool(pipeline.execute())

    def _sweep(self, before_ns: int) -> None:
        for said in self._client.scan_iter(self.key("said", "*")):
            kind = said.decode().removeprefix(self.key("said", ""))
            old = self._client.zrangebyscore(said, "(0", f"({before_ns / 1e9}")
            for at in range(0, len(old), _GONE):
                gone = old[at : at + _GONE]
                pipeline = self._client.pipeline(transaction=True)
                pipeline.hdel(self.key("state", kind), *gone)
                pipeline.zrem(self.key("geo", kind), *gone)
                pipeline.zrem(said, *gone)
                pipeline.execute()

    def _refuse(self, names: Iterable[_Name], why: str) -> None:
        """Redis serves, but not these: a key of ours is of another type, the memory is full. The others go on."""
        with self._lock:
            self._refused.update(dict.fromkeys(names))
            self._retry_s = time.monotonic() + _AWAY_S[-1]
            self._tell(why)

    def _tell(self, why: str) -> None:
        if not self._trouble:
            self._trouble = True
            _log.error("Redis does not serve: the process's own state does", why=why)
            self._news.append(("opened", why[:300]))


def _place(entry: Entry) -> tuple[Any, Any]:
    if entry.position is None or abs(entry.position[0]) >= _POLE_DEG or abs(entry.position[1]) > 180:
        return "", ""
    return entry.position
