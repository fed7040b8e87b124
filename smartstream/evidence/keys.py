"""The Ed25519 key that signs evidence. The private one comes by configuration and never lies in the store."""

from __future__ import annotations

import importlib
import os
import re
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Self

from smartstream.errors import InvalidInputError, MissingExtraError
from smartstream.evidence.files import read_plain, replace

try:
    ed25519: Any = importlib.import_module("cryptography.hazmat.primitives.asymmetric.ed25519")
    serialization: Any = importlib.import_module("cryptography.hazmat.primitives.serialization")
except ImportError:  # comes with the extra `evidence`
    ed25519 = None

KEYS: Final = "keys"
PUBLIC_BYTES: Final = 32
_SIGNATURE: Final = re.compile("[0-9a-f]{128}")  # one text per signature: other letters would be a change unseen


def require_cryptography() -> None:
    """Say what to install where signatures cannot be made or checked.

    Raises:
        MissingExtraError: The extra ``evidence`` is not installed.
    """
    if ed25519 is None:
        raise MissingExtraError("signed evidence", "evidence")


def key_id(public: bytes) -> str:
    """Name of a public key: the first half of its SHA-256."""
    return sha256(public).hexdigest()[:32]


def publish(store: Path, signer: Signer) -> None:
    """Lay the public half of a key into a store.

    Raises:
        OSError: It cannot be written.
    """
    (store / KEYS).mkdir(parents=True, exist_ok=True, mode=0o700)
    public = store / KEYS / f"{signer.key}.pub"
    if not public.exists():
        try:
            replace(public, signer.public.hex().encode())
        except (FileExistsError, FileNotFoundError):  # another process does the same
            if not public.exists():
                raise


def published(store: Path) -> dict[str, bytes]:
    """The public keys of a store by their ids; what is none is left out."""
    found = ((path.stem, public_key(path)) for path in sorted((store / KEYS).glob("*.pub")))
    return {name: public for name, public in found if public is not None}


def public_key(path: Path) -> bytes | None:
    """The key of a file; ``None`` where it is not the one text of the key of its name."""
    try:
        text = (read_plain(path) or b"").decode()
        public = bytes.fromhex(text)
    except ValueError:
        return None
    genuine = public.hex() == text and len(public) == PUBLIC_BYTES and key_id(public) == path.stem
    return public if genuine else None


class Signer:
    """Signs with one private key."""

    def __init__(self, private: Any) -> None:
        self._private = private
        self.public: bytes = private.public_key().public_bytes_raw()
        self.key = key_id(self.public)

    @classmethod
    def load(cls, path: Path, *, create: bool = False) -> Self:
        """The key of a PEM file (PKCS #8, unencrypted).

        Args:
            path: The file.
            create: Make a new key there when the file is missing, readable by its owner only.

        Raises:
            InvalidInputError: The file cannot be read or holds no such key.
            MissingExtraError: The library is missing.
        """
        require_cryptography()
        try:
            if create and not path.exists():
                _write_new(path)
            private = serialization.load_pem_private_key(path.read_bytes(), password=None)
        except (OSError, ValueError, TypeError) as e:
            raise InvalidInputError(f"signing key {path}: expected an Ed25519 key in PEM, found none ({e})") from None
        if not isinstance(private, ed25519.Ed25519PrivateKey):
            raise InvalidInputError(f"signing key {path}: expected an Ed25519 key, found {type(private).__name__}")
        return cls(private)

    def sign(self, message: bytes) -> str:
        """The signature, hexadecimal; the same message always gives the same."""
        signature: bytes = self._private.sign(message)
        return signature.hex()


def is_signed(message: bytes, signature: object, public: bytes | None) -> bool:
    """Whether ``signature`` (hexadecimal) over ``message`` was made with the private half of ``public``."""
    if public is None or not isinstance(signature, str) or _SIGNATURE.fullmatch(signature) is None:
        return False
    try:
        ed25519.Ed25519PublicKey.from_public_bytes(public).verify(bytes.fromhex(signature), message)
    except Exception:  # InvalidSignature, ValueError of a malformed one: in no case a good one
        return False
    return True


def _write_new(path: Path) -> None:
    private = ed25519.Ed25519PrivateKey.generate()
    pem: bytes = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pem)
    try:
        os.link(new, path)  # of several processes the first one counts
    except FileExistsError:
        pass
    finally:
        new.unlink()
