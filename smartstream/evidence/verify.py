"""Whether an evidence store is as it was written: every altered, missing, added or reordered piece by its name."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import msgspec

from smartstream.errors import UNREADABLE
from smartstream.evidence.audit import AUDITS, broken_lines
from smartstream.evidence.canonical import canonical
from smartstream.evidence.keys import PUBLIC_BYTES, is_signed, key_id, require_cryptography
from smartstream.evidence.store import MANIFEST, SIGNATURE, START, Link

_FOLDERS: Final = frozenset({"keys", "packages", "chain"})


class Finding(msgspec.Struct, frozen=True):
    """Something wrong.

    Attributes:
        what: ``altered``, ``missing``, ``added``, ``reordered`` or ``unlinked``.
        where: Path within the store, with the line where it is one.
        detail: What was found and what was expected.
    """

    what: str
    where: str
    detail: str


def verify(folder: Path, *, trusted: frozenset[str] | None = None) -> tuple[int, list[Finding]]:
    """Check a store; reads everything, changes nothing.

    Args:
        folder: The store.
        trusted: Ids of the keys that may have signed; ``None`` takes every key that lies in the store.

    Returns:
        How many packages it holds, and what is wrong.
    """
    require_cryptography()
    findings: list[Finding] = []
    keys = dict(_keys(folder, trusted, findings))
    expected: dict[tuple[str, str], Link] = {}
    for path in sorted((folder / "chain").glob("*.ndjson")):
        _chain(path, keys, expected, findings)
    heads = sorted((folder / "chain").glob("*.head"))
    alone = [head.stem for head in heads if not head.with_suffix(".ndjson").exists()]
    findings += [Finding("missing", f"chain/{camera}.ndjson", "its head is there") for camera in alone]
    for (camera, evidence), link in expected.items():
        _package(folder, camera, evidence, link, keys, findings)
    findings += _strangers(folder, expected)
    for name in AUDITS:
        findings += [Finding("altered", f"{name}:{n}", why) for n, why in broken_lines(folder / name)]
    return len(expected), findings


def _keys(folder: Path, trusted: frozenset[str] | None, findings: list[Finding]) -> Iterator[tuple[str, bytes]]:
    found = sorted((folder / "keys").glob("*.pub"))
    if not found:
        findings.append(Finding("missing", "keys", "no public key"))
    for path in found:
        try:
            text = path.read_text(encoding="utf-8")
            public = bytes.fromhex(text)
            public = public if public.hex() == text else b""
        except (ValueError, OSError):
            public = b""
        if len(public) != PUBLIC_BYTES or key_id(public) != path.stem:
            findings.append(Finding("altered", f"keys/{path.name}", "it is not the key of its name"))
        elif trusted is not None and path.stem not in trusted:
            findings.append(Finding("added", f"keys/{path.name}", "a key that is not trusted"))
        else:
            yield path.stem, public


def _chain(path: Path, keys: dict[str, bytes], expected: dict[tuple[str, str], Link], findings: list[Finding]) -> None:
    name, camera = f"chain/{path.name}", path.stem
    seq, prev = 0, START
    text = path.read_bytes()
    if text and not text.endswith(b"\n"):
        findings.append(Finding("altered", name, "the last line has no end"))
    for n, line in enumerate(text.splitlines(), start=1):
        where = f"{name}:{n}"
        try:
            link = msgspec.json.decode(line, type=Link)
        except UNREADABLE:
            findings.append(Finding("altered", where, "no link of a chain"))
            seq, prev = seq + 1, sha256(line).hexdigest()
            continue
        good = _is_its_own(link, line) and is_signed(link.signed(), link.signature, keys.get(link.key))
        if not good:
            findings.append(Finding("altered", where, "its signature does not hold"))
        elif link.camera != camera:
            findings.append(Finding("added", where, f"a link of camera {link.camera}"))
        elif link.seq != seq:
            what = "missing" if link.seq > seq else "reordered"
            findings.append(Finding(what, where, f"expected link {seq}, found {link.seq}"))
        elif link.prev != prev:
            findings.append(Finding("altered", where, "it does not follow from the line before"))
        if good and link.tombstone is None:
            expected[camera, link.evidence] = link
        elif good:
            expected.pop((camera, link.evidence), None)
        seq, prev = (link.seq if good else seq) + 1, sha256(line).hexdigest()
    _head(path.with_suffix(".head"), keys, seq, prev, findings)


def _head(path: Path, keys: dict[str, bytes], length: int, last: str, findings: list[Finding]) -> None:
    name = f"chain/{path.name}"
    head = _json(path)
    if head is None and not length:
        return  # nothing was ever committed; packages without a link show by themselves
    if head is None:
        findings.append(Finding("altered" if path.exists() else "missing", name, "no head of a chain"))
        return
    signature, text = head.pop("signature", None), path.read_bytes()
    if _canonical({**head, "signature": signature}) != text or not is_signed(
        _canonical(head), signature, keys.get(str(head.get("key")))
    ):
        findings.append(Finding("altered", name, "its signature does not hold"))
    elif (head.get("camera"), head.get("length"), head.get("last")) != (path.stem, length, last):
        detail = f"the chain ends with link {length - 1}, expected {int(head.get('length', 0)) - 1} and its hash"
        findings.append(Finding("missing" if head.get("length", 0) > length else "altered", name, detail))


def _package(
    folder: Path, camera: str, evidence: str, link: Link, keys: dict[str, bytes], findings: list[Finding]
) -> None:
    place = folder / "packages" / camera / evidence
    name = f"packages/{camera}/{evidence}"
    if not place.is_dir():
        findings.append(Finding("missing", name, "linked, without a tombstone, and not there"))
        return
    found = {path.name: path for path in place.iterdir()}
    manifest, signature = found.pop(MANIFEST, None), found.pop(SIGNATURE, None)
    if manifest is None or not manifest.is_file():
        findings.append(Finding("missing", f"{name}/{MANIFEST}", ""))
        return
    text = manifest.read_bytes()
    if sha256(text).hexdigest() != link.manifest:
        findings.append(Finding("altered", f"{name}/{MANIFEST}", "its hash is not the one in the chain"))
    if signature is None or not signature.is_file():
        findings.append(Finding("missing", f"{name}/{SIGNATURE}", ""))
    else:
        said = _json(signature) or {}
        good = is_signed(text, said.get("signature"), keys.get(str(said.get("key"))))
        if not good or _canonical(said) != signature.read_bytes():
            findings.append(Finding("altered", f"{name}/{SIGNATURE}", "it does not sign the manifest"))
    for file, expected in _files(manifest):
        path = found.pop(file, None)
        if path is None:
            findings.append(Finding("missing", f"{name}/{file}", "named in the manifest"))
        elif not path.is_file() or sha256(path.read_bytes()).hexdigest() != expected:
            findings.append(Finding("altered", f"{name}/{path.name}", "its hash is not the one in the manifest"))
    findings.extend(Finding("added", f"{name}/{extra}", "the manifest does not name it") for extra in sorted(found))


def _strangers(folder: Path, expected: dict[tuple[str, str], Link]) -> Iterator[Finding]:
    for path in sorted(folder.iterdir()):
        if path.name not in _FOLDERS and path.name not in AUDITS:
            yield Finding("added", path.name, "no part of a store")
    for path in sorted((folder / "keys").glob("*")):
        if path.suffix != ".pub":
            yield Finding("added", f"keys/{path.name}", "no public key")
    for path in sorted((folder / "chain").glob("*")):
        if path.suffix not in (".ndjson", ".head"):
            yield Finding("added", f"chain/{path.name}", "no chain")
    for camera in sorted((folder / "packages").glob("*")):
        if not camera.is_dir():
            yield Finding("added", f"packages/{camera.name}", "no camera")
            continue
        for place in sorted(camera.iterdir()):
            where = f"packages/{camera.name}/{place.name}"
            if place.name.startswith("."):
                yield Finding("unlinked", where, "left by a writer that was stopped; the next run clears it")
            elif (camera.name, place.name) not in expected:
                yield Finding("unlinked", where, "in no chain: added, or its run was stopped before it committed")


def _is_its_own(link: Link, line: bytes) -> bool:
    """Whether a line is the one text of its link."""
    try:
        return link.line() == line
    except ValueError:  # a number that no writer of ours would write
        return False


def _files(manifest: Path) -> Iterator[tuple[str, object]]:
    """Name and hash of every file that a manifest names, whatever has become of the manifest."""
    files = (_json(manifest) or {}).get("files")
    for file in files if isinstance(files, list) else ():
        if isinstance(file, dict):
            yield str(file.get("name")), file.get("sha256")


def _canonical(value: dict[str, Any]) -> bytes:
    """Empty for what has no canonical text: nothing was ever written so."""
    try:
        return canonical(value)
    except (ValueError, RecursionError):
        return b""


def _json(path: Path) -> dict[str, Any] | None:
    try:
        found = msgspec.json.decode(path.read_bytes())
    except (OSError, *UNREADABLE):
        return None
    return found if isinstance(found, dict) else None
