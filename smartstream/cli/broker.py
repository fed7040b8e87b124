"""Where the broker is, for commands that talk to a running system."""

from __future__ import annotations

from smartstream.brokers.nats_access import NatsAccess
from smartstream.config.settings import settings
from smartstream.config.site import Site
from smartstream.errors import InvalidInputError, UnavailableError
from smartstream.sinks import discovery


def find_broker(site: Site | None, url: str | None) -> NatsAccess:
    """Where the broker is now.

    Raises:
        UnavailableError: Nobody runs there.
        InvalidInputError: Nothing tells which one is meant.
    """
    if url is None and site is not None and site.nats.url != "embedded":
        url = site.nats.url
    if url is not None:
        return NatsAccess.from_settings(url, settings())
    if site is not None:
        stores = [site.path(site.nats.store).absolute()]
    else:
        stores = discovery.running()
        if len(stores) > 1:
            listed = ", ".join(str(store) for store in stores)
            raise InvalidInputError(f"several runs have a broker ({listed}): name one with --site or --url")
    for store in stores:
        if access := discovery.find(store):
            return access
    where = f"no run uses the broker of {stores[0]}" if stores else "no run with a broker was found"
    raise UnavailableError(f"{where}: start one with `smartstream run`, or name a server with --url")
