"""Whether an evidence store is as it was written: every altered, missing, added or reordered piece by its name."""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import msgspec

from smartstream.errors import DataLossError
from smartstream.evidence.audit import AUDITS
from smartstream.evidence.chain import CHAINS, Link
from smartstream.evidence.files import read_plain
from smartstream.evidence.keys import KEYS, is_signed, public_key, published, require_cryptography
from smartstream.evidence.lines import START, decoded, follow, head_of, is_canonical, is_whole, read_head
from smartstream.evidence.store import MANIFEST, PACKAGES, SIGNATURE
from smartstream.evidence.told import Told

_FOLDERS: Final = frozenset({KEYS, PACKAGES, CHAINS})
_LEFT: Final = "left by a writer that was stopped; the next one clears it"


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


class _Chains:
    """What the chains of a store say.

    Attributes:
        held: The link of every package that is to be there, by camera and id.
        known: Every package that ever was linked or taken back.
        said: Every manifest that was linked and every suspicion that was taken back, as events tell them.
    """

    def __init__(self) -> None:
        self.held: dict[tuple[str, str], Link] = {}
        self.known: set[str] = set()
        self.said: set[tuple[str, ...]] = set()

    def take(self, link: Link) -> None:
        """The next link."""
        self.known.add(link.evidence)
        self.said.add((link.evidence, "evidence", link.manifest) if link.manifest else (link.evidence, "retracted"))
        if link.tombstone is not None:
            self.held.pop((link.camera, link.evidence), None)
        elif link.retracted is None:
            self.held[link.camera, link.evidence] = link


def verify(
    folder: Path, *, trusted: frozenset[str] | None = None, told: Iterable[Told] = ()
) -> tuple[int, list[Finding]]:
    """Check a store; reads everything, changes nothing.

    Args:
        folder: The store.
        trusted: Ids of the keys that may have signed; ``None`` takes every key that lies in the store.
        told: What events say of it: an older state of the whole store shows by nothing else.

    Returns:
        How many packages it holds, and what is wrong.
    """
    require_cryptography()
    folder, findings = folder.resolve(), list[Finding]()
    keys = dict(_keys(folder, trusted, findings))
    chains = _Chains()
    for camera in sorted({path.stem for path in _within(folder / CHAINS) if path.suffix in (".ndjson", ".head")}):
        _chain(folder, camera, keys, chains, findings)
    for (camera, evidence), link in chains.held.items():
        _package(folder, camera, evidence, link, keys, findings)
    for log in AUDITS:
        for where, entry in _lines(folder, log, keys, findings):
            if str(entry.get("evidence_id")) not in chains.known:
                findings.append(Finding("missing", where, f"no chain knows its case {entry.get('evidence_id')}"))
            chains.said.add(tuple(str(entry.get(name)) for name in ("evidence_id", "decision", "officer", "at")))
    findings += _strangers(folder, chains)
    findings += [
        Finding("missing", one.where, f"the store knows of no such event of {one.evidence}")
        for one in told
        if one.verb != "evidence" or one.hash is not None  # what the disk refused was never there
        if (one.evidence, one.verb, *(said for said in (one.hash, one.officer, one.at) if said)) not in chains.said
    ]
    return len(chains.held), findings


def verify_case(folder: Path, camera: str, evidence: str) -> list[Finding]:
    """Check one package and its link."""
    require_cryptography()
    folder, findings = folder.resolve(), list[Finding]()
    keys, chains = published(folder), _Chains()
    chain = f"{CHAINS}/{camera}.ndjson"
    try:
        for _, entry in follow(folder / chain, chain, keys):
            if (link := _link(entry)) is not None:
                chains.take(link)
    except DataLossError:
        return [Finding("altered", chain, "it is not as it was written")]
    if (link := chains.held.get((camera, evidence))) is None:
        return [Finding("unlinked", f"{PACKAGES}/{camera}/{evidence}", "its link is not in the chain")]
    _package(folder, camera, evidence, link, keys, findings)
    return findings


def _keys(folder: Path, trusted: frozenset[str] | None, findings: list[Finding]) -> Iterator[tuple[str, bytes]]:
    found = [path for path in _within(folder / KEYS) if path.suffix == ".pub"]
    if not found:
        findings.append(Finding("missing", KEYS, "no public key"))
    for path in found:
        if (public := public_key(path)) is None:
            findings.append(Finding("altered", f"{KEYS}/{path.name}", "it is not the key of its name"))
        elif trusted is not None and path.stem not in trusted:
            findings.append(Finding("added", f"{KEYS}/{path.name}", "a key that is not trusted"))
        else:
            yield path.stem, public


def _lines(
    folder: Path, name: str, keys: Mapping[str, bytes], findings: list[Finding]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Where every line stands that is signed, and what it says; what is wrong with the file goes to ``findings``."""
    path = folder / name
    text = read_plain(path)
    if text is None:
        if path.is_symlink() or path.exists():
            findings.append(Finding("altered", name, "no plain file that can be read"))
            return
        text = b""
    *lines, rest = text.split(b"\n")
    if rest:
        findings.append(Finding("altered", f"{name}:{len(lines) + 1}", "the last line has no end"))
    seq, prev = 0, START
    for n, line in enumerate(lines, start=1):
        where, entry = f"{name}:{n}", decoded(line)
        signed, number = is_whole(entry, line, keys), entry.get("seq")
        if not signed or not isinstance(number, int):
            findings.append(Finding("altered", where, "its signature does not hold"))
            number = seq
        elif number != seq:
            what = "missing" if number > seq else "reordered"
            findings.append(Finding(what, where, f"expected line {seq}, found {number}"))
        elif entry.get("prev") != prev:
            findings.append(Finding("altered", where, "it does not follow from the line before"))
        seq, prev = number + 1, sha256(line).hexdigest()
        if signed:
            yield where, entry
    findings += _head(folder, name, keys, seq, prev)


def _head(folder: Path, name: str, keys: Mapping[str, bytes], length: int, last: str) -> Iterator[Finding]:
    path = head_of(folder / name)
    where = path.relative_to(folder).as_posix()
    head = read_head(folder / name, name, keys)
    if head is not None and head.length > length:
        where = name if not length else where
        yield Finding("missing", where, f"it ends with line {length - 1}, its head tells of {head.length}")
    elif head is not None and (head.length, head.last) != (length, last):
        yield Finding("altered", where, f"its file has {length} lines, it tells of {head.length} or of others")
    elif head is None and path.exists():
        yield Finding("altered", where, "its signature does not hold")
    elif head is None and length:
        yield Finding("missing", where, "no head")


def _chain(folder: Path, camera: str, keys: Mapping[str, bytes], chains: _Chains, findings: list[Finding]) -> None:
    for where, entry in _lines(folder, f"{CHAINS}/{camera}.ndjson", keys, findings):
        link = _link(entry)
        if link is None or link.camera != camera:
            findings.append(Finding("added", where, f"no link of camera {camera}"))
        else:
            chains.take(link)


def _link(entry: dict[str, Any]) -> Link | None:
    try:
        return msgspec.convert(entry, Link)
    except msgspec.ValidationError:
        return None


def _package(
    folder: Path, camera: str, evidence: str, link: Link, keys: Mapping[str, bytes], findings: list[Finding]
) -> None:
    name = f"{PACKAGES}/{camera}/{evidence}"
    if not _is_folder(folder / name):
        findings.append(Finding("missing", name, "linked, without a tombstone, and not there"))
        return
    found = {path.name: path for path in _within(folder / name)}
    text, signature = (read_plain(found.pop(part, folder / name / part)) for part in (MANIFEST, SIGNATURE))
    if text is None:
        findings.append(Finding("missing", f"{name}/{MANIFEST}", "no plain file that can be read"))
        return
    if sha256(text).hexdigest() != link.manifest:
        findings.append(Finding("altered", f"{name}/{MANIFEST}", "its hash is not the one in the chain"))
    if signature is None:
        findings.append(Finding("missing", f"{name}/{SIGNATURE}", "no plain file that can be read"))
    elif not _seals(signature, text, keys):
        findings.append(Finding("altered", f"{name}/{SIGNATURE}", "it does not sign the manifest"))
    for file, expected in _files(text):
        path = found.pop(file, None)
        if path is None:
            findings.append(Finding("missing", f"{name}/{file}", "named in the manifest"))
        elif (content := read_plain(path)) is None:
            findings.append(Finding("altered", f"{name}/{file}", "no plain file that can be read"))
        elif sha256(content).hexdigest() != expected:
            findings.append(Finding("altered", f"{name}/{file}", "its hash is not the one in the manifest"))
    findings.extend(Finding("added", f"{name}/{extra}", "the manifest does not name it") for extra in sorted(found))


def _seals(signature: bytes, manifest: bytes, keys: Mapping[str, bytes]) -> bool:
    """Whether a signature is one over the manifest, and written as ours are."""
    said = decoded(signature)
    return is_signed(manifest, said.get("signature"), keys.get(str(said.get("key")))) and is_canonical(said, signature)


def _strangers(folder: Path, chains: _Chains) -> Iterator[Finding]:
    parts = {*_FOLDERS, *AUDITS, *(head_of(Path(log)).name for log in AUDITS)}
    for path in _within(folder):
        if path.name in _FOLDERS and not _is_folder(path):
            yield Finding("altered", path.name, "no folder")
        elif path.name not in parts:
            yield _stranger(folder, path, "no part of a store")
    for part, suffixes, what in ((KEYS, (".pub",), "no public key"), (CHAINS, (".ndjson", ".head"), "no chain")):
        for path in _within(folder / part):
            if path.suffix not in suffixes:
                yield _stranger(folder, path, what)
    for camera in _within(folder / PACKAGES):
        if not _is_folder(camera):
            yield Finding("added", f"{PACKAGES}/{camera.name}", "no camera")
            continue
        for place in _within(camera):
            where = f"{PACKAGES}/{camera.name}/{place.name}"
            if place.name.startswith("."):
                yield Finding("unlinked", where, _LEFT)
            elif (camera.name, place.name) not in chains.held:
                yield Finding("unlinked", where, "in no chain: added, or its run was stopped before it committed")


def _stranger(folder: Path, path: Path, what: str) -> Finding:
    where = path.relative_to(folder).as_posix()
    left = path.name.startswith(".") and path.suffix == ".new"
    return Finding("unlinked", where, _LEFT) if left else Finding("added", where, what)


def _within(folder: Path) -> list[Path]:
    """What a folder of the store holds; nothing where it is none of its own, or cannot be read."""
    try:
        return sorted(folder.iterdir()) if _is_folder(folder) else []
    except OSError:
        return []


def _is_folder(path: Path) -> bool:
    """Whether it is a folder itself and does not merely point to one."""
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except (OSError, ValueError):
        return False


def _files(manifest: bytes) -> Iterator[tuple[str, object]]:
    """Name and hash of every file that a manifest names, whatever has become of the manifest."""
    files = decoded(manifest).get("files")
    for file in files if isinstance(files, list) else ():
        if isinstance(file, dict):
            yield str(file.get("name")), file.get("sha256")
