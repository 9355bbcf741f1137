"""Ways to write a word past the text rules, and ordinary texts that should not match.

`python -m scripts.benches.text_evasions [FILE …]` prints the tables of docs/matching.md: how many
active starter rules are seen in each disguise, and how often harmless neighbours of phrases are
flagged. FILEs hold further ordinary texts, parted by blank lines; it prints how many are flagged.
Run it in a checkout of an earlier release for the column "before".
"""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path

from models.rules.matcher.matcher import Matcher, RuleSpec, effective
from models.rules.starter_list import load

Change = Callable[[str], str]
SMALL_CAPITALS = dict(zip("abcdefghijklmnoprstuvwyz", "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ", strict=True))
CHEROKEE = dict(zip("abcdehijklmprstvwyz", "ꭺᏼꮯꭰꭼꮋꭵꭻꮶꮮꮇꮲꭱꮥꭲꮩꮃᎽꮓ", strict=True))
SYLLABICS = dict(zip("abcdfhjlmprstuvx", "ᗩᗷᑕᗪᖴᕼᒍᒪᗰᑭᖇᔕᎢᑌᐯ᙭", strict=True))
LISU = dict(zip("abcdefghijklmnoprstuvwxyz", "ꓮꓐꓚꓓꓰꓝꓖꓧꓲꓙꓗꓡꓟꓠꓳꓑꓣꓢꓔꓴꓦꓪꓫꓬꓜ", strict=True))
LEET = dict(zip("aeios", "4310$", strict=True))
ACCENTS = dict(zip("aeinouc", "áèïñôüç", strict=True))
EXAMPLES = ("viagra", "cialis", "western union")
ROW = "thequickbrownfoxjumpsoverthelazydogandthentheslowbrownfoxjumpsovertheotherdog"


def middle(mark: str) -> Change:
    """Put a mark into the middle of a word."""
    return lambda word: f"{word[: len(word) // 2]}{mark}{word[len(word) // 2 :]}"


def wrapped(before: str, after: str) -> Change:
    """Wrap the letters in the middle of a word."""
    return lambda word: f"{word[:2]}{before}{word[2:-1]}{after}{word[-1:]}"


def swapped(table: dict[str, str]) -> Change:
    """Replace letters by others."""
    return lambda word: word.translate(str.maketrans(table))


WORDS: dict[str, Change] = {
    "leetspeak": swapped(LEET),
    "accents": swapped(ACCENTS),
    "dotless i": swapped({"i": "ı"}),
    "letters with spaces": " ".join,
    "letters with dots": ".".join,
    "zero-width space inside": middle("\u200b"),
    "hyphen inside": middle("-"),
    "one letter masked": lambda word: f"{word[0]}*{word[2:]}",
    "last letter masked": lambda word: f"{word[:-1]}*",
    "right-to-left override": lambda word: f"\u202e{word[::-1]}\u202c",
    "regional indicators": lambda word: "".join(chr(ord(char) - 97 + 0x1F1E6) for char in word),
    "HTML entity": lambda word: f"{word[0]}&#{ord(word[1])};{word[2:]}",
    "HTML soft hyphen": middle("&shy;"),
    "HTML tags inside": wrapped("<b>", "</b>"),
    "HTML comment inside": middle("<!-- x -->"),
    "Markdown link": lambda word: f"[{word[:2]}](https://example.com/x){word[2:]}",
    "Markdown emphasis inside": wrapped("**", "**"),
    "small capitals": swapped(SMALL_CAPITALS),
    "Cherokee letters": swapped(CHEROKEE),
    "Canadian syllabics": swapped(SYLLABICS),
    "Lisu letters": swapped(LISU),
    "lunate sigma, digamma": swapped({"c": "\u03f2", "f": "\u03dd"}),
    "emoji inside": middle("😀"),
    "emoji for a letter": lambda word: f"{word[0]}🤬{word[2:]}",
    "line break inside": middle("\n"),
    "line break with hyphen": middle("-\n"),
    "capital I for i and l": lambda word: word[0] + swapped({"l": "I", "i": "I"})(word[1:]),
    "end of a row of 80 letters": lambda word: " ".join(ROW + word),
    "behind two words in a row": lambda word: " ".join(f"buycheap{word}"),
}
PHRASES: dict[str, Change] = {
    "no-break space entity": lambda text: text.replace(" ", "&nbsp;"),
    "underscore": lambda text: text.replace(" ", "_"),
    "emoji between": lambda text: text.replace(" ", "👍"),
    "emphasis": lambda text: f"*{text.replace(' ', '* *')}*",
    "one letter masked": lambda text: f"{text[:-3]}*{text[-2:]}",
}
APART: dict[str, Change] = {
    "colon": lambda text: text.replace(" ", ": ", 1),
    "comma": lambda text: text.replace(" ", ", ", 1),
    "dash": lambda text: text.replace(" ", " – ", 1),
    "brackets": lambda text: f"{text.replace(' ', ' (', 1)})",
    "slash": lambda text: text.replace(" ", " / ", 1),
    "line break": lambda text: text.replace(" ", "\n", 1),
    "compound before it": lambda text: f"second-{text}",
}


def main() -> None:
    """Print the tables."""
    rows = [row for row in load() if row[4]]
    matcher = Matcher([RuleSpec(at, *row[:4]) for at, row in enumerate(rows)])
    kinds = {kind: [row[1] for row in rows if row[0] == kind] for kind in ("word", "phrase")}
    words = [word for word in kinds["word"] if word.isascii() and word.isalpha() and len(word) > 3]
    phrases = [text for text in kinds["phrase"] if text.replace(" ", "").isalpha()]
    print_seen("disguise of a word", matcher, words, WORDS)
    print_seen("disguise of a phrase", matcher, phrases, PHRASES)
    print_seen("what parts the words of a phrase", matcher, phrases, APART)
    print_accents()
    for name in sys.argv[1:]:
        print_flagged(matcher, Path(name))


def print_seen(title: str, matcher: Matcher, terms: list[str], changes: dict[str, Change]) -> None:
    """A table: how many of the terms match in each changed form."""
    print(f"| {title} | example | seen |\n| --- | --- | --- |")
    several = " " in terms[0]
    for name, change in changes.items():
        tried = [(term, change(term)) for term in terms if change(term) != term]
        seen = sum(term in _patterns(matcher, f"so, {text} today") for term, text in tried)
        example = next(change(term) for term in EXAMPLES if _differs(change, term, several))
        print(f"| {name} | `{ascii(example)[1:-1][-60:]}` | {seen} of {len(tried)} |")
    print(flush=True)


def _differs(change: Change, term: str, several: bool) -> bool:
    """Whether the example changes, and has several words if the terms do."""
    return (" " in term) == several and change(term) != term


def print_accents() -> None:
    """A table: how many starter rules with accents match their letters without accents."""
    rows = [row for row in load() if row[0] in ("word", "phrase") and _bare(row[1]) != row[1]]
    alone = [(row[1], Matcher([RuleSpec(1, *row[:4])])) for row in rows]
    for name, change in (("as written", str), ("without accents", _bare)):
        seen = sum(bool(matcher.find(change(pattern))) for pattern, matcher in alone)
        print(f"| rules with accents, text {name} | {seen} of {len(alone)} |")
    print(flush=True)


def _bare(text: str) -> str:
    """Latin text without accents."""
    letters = unicodedata.normalize("NFD", text.replace("\u0131", "i").replace("\u0142", "l"))
    if not letters.startswith(tuple("abcdefghijklmnopqrstuvwxyz")):
        return text
    return "".join(char for char in letters if not unicodedata.combining(char))


def print_flagged(matcher: Matcher, path: Path) -> None:
    """How many of the texts in the file match any active rule."""
    texts = list(_texts(path))
    flagged = sum(bool(_patterns(matcher, text)) for text in texts)
    print(f"{path.name}: {flagged} of {len(texts)} texts flagged", flush=True)


def _texts(path: Path) -> Iterator[str]:
    yield from (text for text in path.read_text("utf-8").split("\n\n") if text.strip())


def _patterns(matcher: Matcher, text: str) -> list[str]:
    return [match.rule.pattern for match in effective(matcher.find(text))]


if __name__ == "__main__":
    main()
