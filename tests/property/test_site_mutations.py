"""However a site file is broken, the answer is a site or a list of mistakes: never another error."""

import tomllib
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from smartstream.config.site import parse_site
from smartstream.errors import ConfigError

REFERENCE = (Path(__file__).parents[1] / "unit/config/reference_site.toml").read_text()

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["red_light", "file:x", "nats:a.b", "S-stop", "exit", "j1", "1970-01-01T00:00:00Z"])
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Every place in a tree of tables and lists."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(p for key, v in inner for p in places(v, (*path, key)))]


def as_toml(value: Any) -> str:
    """TOML of a tree, tables inline; what TOML cannot say (None) becomes an empty text."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{as_toml(str(k))} = {as_toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(as_toml(v) for v in value) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    text = "" if value is None else value
    return (
        '"' + "".join(c if (c.isalnum() and c.isascii()) or c in " :/.-_" else f"\\U{ord(c):08x}" for c in text) + '"'
    )


def check(text: str) -> None:
    try:
        parse_site(text, folder=Path("/nowhere"), open_files=True)
    except ConfigError as e:
        message = str(e)
    else:
        return
    assert "found" in message
    assert "pydantic" not in message


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_value_at_any_place(data: st.DataObject) -> None:
    tree = tomllib.loads(REFERENCE)
    for _ in range(data.draw(st.integers(1, 3))):
        *path, last = data.draw(st.sampled_from(places(tree)[1:]))
        node = tree
        for step in path:
            node = node[step]  # type: ignore[index]
        how = data.draw(st.sampled_from(["replace", "remove", "add"]))
        if how == "replace" or (how == "add" and not isinstance(node, dict)):
            node[last] = data.draw(values)  # type: ignore[index]
        elif how == "remove":
            del node[last]  # type: ignore[index]
        else:
            node[data.draw(st.text(max_size=8))] = data.draw(values)  # type: ignore[index]
    check("\n".join(f"{as_toml(k)} = {as_toml(v)}" for k, v in tree.items()))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_damage_to_the_text(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(REFERENCE)))
    cut = data.draw(st.integers(0, 60))
    check(REFERENCE[:at] + data.draw(st.text(max_size=12)) + REFERENCE[at + cut :])


def test_an_id_that_is_a_list_is_a_mistake() -> None:
    check(REFERENCE.replace('[[junction]]\nid = "j1"', "[[junction]]\nid = []", 1))


def test_a_digit_that_is_no_number_is_a_mistake() -> None:
    check('"\u00b2" = 1\n' + REFERENCE)
