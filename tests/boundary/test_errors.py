"""Every kind of failure in Rust is an exception of its own in Python."""

import pytest

from smartstream import errors
from smartstream._core import ERROR_KINDS


@pytest.mark.parametrize("kind", ERROR_KINDS)
def test_every_kind_has_its_exception(kind):
    assert issubclass(getattr(errors, f"{kind}Error"), errors.SmartstreamError)


def test_every_exception_that_is_no_finer_one_has_its_kind():
    direct = {c.__name__.removesuffix("Error") for c in errors.SmartstreamError.__subclasses__()}
    assert direct & {name.removesuffix("Error") for name in vars(errors)} == set(ERROR_KINDS)
