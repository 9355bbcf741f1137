"""Matches domain rules against the host names in a text, even if they are disguised.

Each suffix of a host is one look-up, so the cost does not depend on the number of rules, and
"notevil.com" or "evil.com.au" do not match "evil.com".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice

from models.rules.matcher.accents import has_accents, required_accents
from models.rules.matcher.edges import APOSTROPHES
from models.rules.matcher.normalise import Folded

_APOSTROPHES = "".join(sorted(APOSTROPHES))
_DOT = r"(?:\.(?=[^\W_])|\s?[\[({<]\s?(?:\.|dot)\s?[\])}>]\s?|\s\.\s?(?=[^\W_])|\sdot\s)"
_LABEL = r"[^\W_][\w-]*"
# No host begins inside a word ("can't.me"), and "t.me()" is a call in a program.
_HOST = re.compile(
    rf"(?<![\w-])(?<![^\W_][{_APOSTROPHES}]){_LABEL}(?:{_DOT}{_LABEL})+(?![\w-])(?!\(\))"
)
_CALLED_ON = frozenset(("this", "self"))  # and "this.t.me(x)" is one too
_LABELS = re.compile(rf"({_LABEL})(?:{_DOT}|$)")
_MAY_HOLD_HOST = re.compile(r"\.(?![\s.])|\.(?<=\s\.)")
_AROUND_HOST = re.compile(r"^(?:[a-z][a-z0-9+.-]*://)?(?:\*\.|www\.)?|(?::\d+)?(?:[/?#].*)?$")
_SOUND_HOST = re.compile(r"[^\W_][\w-]*(?:\.[^\W_][\w-]*)+")

Label = tuple[str, int, int]  # a name, and its position among the letters


class Domains:
    """Host names to find, each with whether its accents are ignored. A key is a name's index."""

    def __init__(self, names: Iterable[tuple[str, bool]]) -> None:
        self._keys: dict[str, list[tuple[int, tuple[str, ...]]]] = {}
        for key, (name, ignore_accents) in enumerate(names):
            accents = () if ignore_accents else required_accents(_decoded(name))
            self._keys.setdefault(canonical_host(name), []).append((key, accents))
        self._depth = max((name.count(".") + 1 for name in self._keys), default=0)

    def find(self, folded: Folded, limit: int) -> Iterator[tuple[int, int, int]]:
        """At most `limit` hits: key, start and end of the whole host, in the original text."""
        if self._keys:
            yield from islice(self._find(folded), limit)

    def _find(self, folded: Folded) -> Iterator[tuple[int, int, int]]:
        for labels in _hosts(folded):
            for count in _host_lengths(folded, labels):
                start, end = folded.place(labels[0][1]), folded.place(labels[count - 1][2])
                for key, accents in self._look_up(labels[max(0, count - self._depth) : count]):
                    if not accents or has_accents(accents, _decoded(folded.text[start:end])):
                        yield key, start, end

    def _look_up(self, labels: list[Label]) -> Iterator[tuple[int, tuple[str, ...]]]:
        names = [name for name, _, _ in labels]
        for first in range(len(names) - 1):
            yield from self._keys.get(".".join(names[first:]), ())


def canonical_host(text: str) -> str:
    """The host of a domain rule ("https://www.Evil.com/x" gives "evil.com"); "" if there is none.

    Punycode is decoded and accents are removed; `Domains` compares the accents of what it finds.
    """
    letters = "".join(Folded(text).letters.split())
    host = ".".join(map(_readable, _AROUND_HOST.sub("", letters).split(".")))
    return host if _SOUND_HOST.fullmatch(host) else ""


def _hosts(folded: Folded) -> Iterator[list[Label]]:
    """Each host name in the text, as its labels; including "evil[.]com" and "evil (dot) com"."""
    if not _MAY_HOLD_HOST.search(folded.letters) and "dot" not in folded.letters:
        return
    for host in _HOST.finditer(folded.letters):
        labels = _LABELS.finditer(folded.letters, host.start(), host.end())
        if folded.letters[host.end()] == "(" and host[0].split(".", 1)[0] in _CALLED_ON:
            continue
        yield [(_readable(label[1]), *label.span(1)) for label in labels]


def _readable(label: str) -> str:
    """A label in letters, with punycode decoded; invalid punycode is unchanged."""
    decoded = _unpunycoded(label)
    return label if decoded == label else "".join(Folded(decoded).letters.split())


def _unpunycoded(label: str) -> str:
    if label[:4].lower() != "xn--":
        return label
    try:
        return label[4:].encode().decode("punycode")
    except UnicodeError:
        return label


def _decoded(host: str) -> str:
    """The host with the letters that punycode stands for."""
    return ".".join(map(_unpunycoded, host.split(".")))


def _host_lengths(folded: Folded, labels: list[Label]) -> Iterator[int]:
    """How many labels may belong to the host: all, or up to a capital ("see evil.com.Then go")."""
    yield len(labels)
    for count in range(2, len(labels)):
        if folded.text[folded.place(labels[count][1])].isupper():
            yield count
