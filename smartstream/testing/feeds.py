"""Feeds read as a run reads them."""

from smartstream.ingest.source import Feed
from smartstream.model.items import Item


def read_all(feed: Feed) -> list[Item]:
    """What a feed brings until it ends; for feeds that do end, as files do."""
    items: list[Item] = []
    while not feed.ended:
        items += feed.read()
    return items
