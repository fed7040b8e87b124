"""RFC 8785: the examples of its appendix B and of section 3.2."""

import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartstream.evidence.canonical import canonical

# Appendix B: IEEE 754 bits and ECMAScript's text.
NUMBERS = {
    "0000000000000000": "0",
    "8000000000000000": "0",
    "0000000000000001": "5e-324",
    "8000000000000001": "-5e-324",
    "7fefffffffffffff": "1.7976931348623157e+308",
    "4340000000000000": "9007199254740992",
    "4430000000000000": "295147905179352830000",
    "44b52d02c7e14af5": "9.999999999999997e+22",
    "44b52d02c7e14af6": "1e+23",
    "44b52d02c7e14af7": "1.0000000000000001e+23",
    "444b1ae4d6e2ef4e": "999999999999999700000",
    "444b1ae4d6e2ef4f": "999999999999999900000",
    "444b1ae4d6e2ef50": "1e+21",
    "3eb0c6f7a0b5ed8c": "9.999999999999997e-7",
    "3eb0c6f7a0b5ed8d": "0.000001",
    "41b3de4355555553": "333333333.3333332",
    "becbf647612f3696": "-0.0000033333333333333333",
    "43143ff3c1cb0959": "1424953923781206.2",
}


@pytest.mark.parametrize("bits", NUMBERS)
def test_numbers_are_written_as_ecmascript_does(bits):
    assert canonical(struct.unpack(">d", bytes.fromhex(bits))[0]).decode() == NUMBERS[bits]


def test_names_are_sorted_by_utf_16_units():
    names = ["€", "\r", "\ufb33", "1", "😀", "\x80", "ö"]
    assert list(json.loads(canonical(dict.fromkeys(names, 0)))) == ["\r", "1", "\x80", "ö", "€", "😀", "\ufb33"]


json_values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(json_values)
def test_it_reads_back_and_is_a_fixed_point(value):
    text = canonical(value)
    again = json.loads(text, parse_int=float)  # a number has no other kind there
    assert again == value
    assert canonical(again) == text


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**60, {1, 2}])
def test_what_is_no_json_is_refused(value):
    with pytest.raises(ValueError, match="canonical JSON"):
        canonical(value)
