"""What a site file asks for and this machine does not have: no mistake, for the file may be for another machine."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Final

from smartstream.config.fields import FEEDS, parse_address
from smartstream.config.site import Site
from smartstream.errors import InvalidInputError, MissingExtraError
from smartstream.sinks.nats_server import find_server

_MODULES: Final = {
    "evidence": "cryptography",
    "redis": "redis",
    "mqtt": "paho",
    "intake": "aiohttp",
    "sql": "sqlalchemy",
    "onnx": "onnxruntime",
}
"""A module of each extra; TensorRT says itself what it lacks."""
_FEED_EXTRAS: Final = {"mqtt": "mqtt", "http": "intake", "sql": "sql"}
"""By the scheme of a feed's address."""


def not_installed(site: Site) -> list[str]:
    """A line for everything without which a run of ``site`` on this machine is refused."""
    found = [
        f"{place}: {MissingExtraError(what, extra)}; until then a run on this machine is refused"
        for place, what, extra in _wanted(site)
        if find_spec(_MODULES[extra]) is None
    ]
    if site.nats.url == "embedded":
        try:
            find_server()
        except InvalidInputError as e:
            found.append(f"nats.url: {e}")
    return found


def _wanted(site: Site) -> Iterator[tuple[str, str, str]]:
    """Place in the site file, what needs an extra, the extra."""
    if site.evidence is not None:
        yield "evidence", "signed evidence", "evidence"
    if site.redis is not None:
        yield "redis", site.redis.url, "redis"
    for feeds in FEEDS:
        for i, feed in enumerate(getattr(site, feeds)):
            extra = _FEED_EXTRAS.get(parse_address(feed.url).scheme)
            if extra is not None:
                yield f"{feeds}[{i}].url", feed.url, extra
    for i, camera in enumerate(site.camera):
        if camera.detector == "onnx":
            yield f"camera[{i}] ({camera.id})", "detector onnx", "onnx"
