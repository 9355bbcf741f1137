"""Regenerates models/rules/data/starter_rules.csv: `python scripts/_starter_rules.py`. Needs npm.

The words come from the npm package naughty-words (LDNOOBW, CC-BY-4.0). This file sets which of them
are on, their language and labels, which match inflected forms too, and our own rules. The words of
the other languages that are switched off are in _starter_rules_off.py.
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from models.rules.inflections import LANGUAGES as INFLECTED
from models.rules.matcher.matcher import PatternError, validate
from models.rules.starter_list import FIELDS, PATH
from scripts._starter_rules_off import OFF_BY_LANGUAGE

PACKAGE = "naughty-words@1.2.0"
LANGUAGES = """
ar cs da de eo es fa fi fil fr fr-CA-u-sd-caqc hi hu it ja kab ko nl no pl pt ru sv th tr zh
""".split()
CODES = {"fr-CA-u-sd-caqc": "fr-CA"}  # ours, where it is not the package's

Lists = dict[str, list[str]]  # by language
Row = tuple[str, str, str, str, int, int, str]  # as FIELDS

# English entries with an ordinary meaning, or too mild to need review: switched off.
OFF = """
alaskan pipeline; anal; anus; apeshit; arsehole; ass; asshole; ball kicking; ball sack; bareback;
barenaked; bastard; bastardo; bastinado; bbw; beaver cleaver; big black; big knockers; bimbos;
birdlock; bitch; bitches; black cock; blonde action; blue waffle; bollocks; bondage; boner; boob;
boobs; booty call; brunette action; bullet vibe; bullshit; bung hole; bunghole; busty; butt;
buttcheeks; butthole; camel toe; chocolate rosebuds; circlejerk; clitoris; clover clamps;
clusterfuck; cock; cocks; coon; coons; cornhole; cum; cumming; deep throat; dendrophilia; dick;
dingleberries; dingleberry; dirty pillows; dog style; domination; dvda; ecchi; ejaculation;
erotic; erotism; escort; eunuch; fag; fecal; fingering; fuck buttons; g-spot; genitals; girl on;
girl on top; girls gone wild; god damn; goodpoop; grope; guro; hard core; hardcore; homoerotic;
hooker; horny; hot carl; hot chick; how to kill; how to murder; huge fat; humping; intercourse;
jack off; jelly donut; jerk off; kinky; knobbing; leather restraint; leather straight jacket;
lemon party; lolita; lovemaking; make me come; menage a trois; missionary position; mong;
mound of venus; mr hands; negro; nipple; nipples; nsfw; nude; nudity; nutten; nymphomania;
octopussy; one cup two girls; orgasm; orgy; paedophile; panties; panty; pedophile; pegging; penis;
piece of shit; pissing; playboy; pleasure chest; poof; poon; pornography; prince albert piercing;
pubes; pussy; quim; rape; raping; rapist; rectum; rimming; rosy palm; rusty trombone; sadism;
santorum; scat; scissoring; semen; sex; sexual; sexuality; sexually; sexy; shibari; shit; shitty;
shota; shrimping; skeet; smut; snatch; snowballing; spastic; spic; spread legs; spunk; strap on;
strappado; strip club; suck; sucks; suicide girls; swastika; swinger; tainted love; taste my;
tea bagging; threesome; throating; tied up; tight white; tit; tits; tongue in a; topless; tosser;
tranny; tub girl; tushy; twink; twinkie; undressing; vagina; venus mound; vibrator; violet wand;
voyeur; voyuer; vulva; wet dream; white power; wrapping men; wrinkled starfish; xx; xxx; yaoi;
s&m; 🖕
"""

# Labels of the English entries; the others are `sexual`.
LABELLED = {
    "hate": """
        beaner; beaners; bulldyke; coon; coons; darkie; fag; faggot; honkey; jigaboo; jiggaboo;
        jiggerboo; kike; mong; negro; neonazi; nig nog; nigga; nigger; paki; pikey; raghead;
        shemale; slanteye; spastic; spic; swastika; towelhead; tranny; wetback; white power
        """,
    "violence": "date rape; daterape; how to kill; how to murder; rape; raping; rapist",
    "spam": "cialis; viagra",
    "nudity": """
        barenaked; big breasts; big knockers; big tits; boob; boobs; busty; camel toe; nipple;
        nipples; nsfw images; nude; nudity; panties; panty; tit; tits; titties; titty; topless;
        undressing; upskirt
        """,
    "profanity": """
        apeshit; arsehole; ass; asshole; bastard; bastardo; bitch; bitches; bollocks; bullshit;
        bung hole; bunghole; butt; butthole; clusterfuck; cunt; dick; dingleberries; dingleberry;
        fuck; fuck buttons; fuckin; fucking; fucktards; god damn; motherfucker; piece of shit;
        pissing; poof; shit; shitblimp; shitty; suck; sucks; tosser; twat; wank; whore; slut; 🖕
        """,
}

# English entries that are the same word, or name, wherever people write: no language switches them.
EVERYWHERE = "cialis; viagra; bdsm; pthc; childporn; child porn; western union; moneygram; 🖕"

# Entries of the English file that are words of other languages.
FOREIGN = {"sexo": ("es", "pt"), "nutten": ("de",), "bastardo": ("es", "it", "pt")}

# Words without inflected forms: abbreviations and names, and words with a harmless form ("spicy",
# "butter", Italian "chiavi"; German "Möses" and Norwegian "fitter" look like English words).
NOT_INFLECTED = """
2g1c; babeland; bangbros; bbw; boob; butt; chiavare; cock; cumming; dick; dvda; fitte; fuckin;
fullz; goatcx; goatse; kys; mong; möse; nambla; negro; nsfw; nutte; nutten; pedobear; scat; skeet;
snatch; spic; spunk; thumbzilla; trombare; troncher; tubgirl; voyeurweb; worldsex; xx; xxx
"""

# Ordinary words of a language that a word of another list looks like: exceptions of its own list,
# so that they do not match for a client that has both languages on. A regex matches as written.
DOMMES = ("regex", "dømmes")
ORDINARY = {
    "sv": (("word", "slut"), ("word", "slutt")),
    "da": (*(("word", word) for word in "slut slutte slutter kys kikke kikker".split()), DOMMES),
    "no": (*(("word", word) for word in "slutt slutte slutter kikke kikker".split()), DOMMES),
    "nl": (("word", "kikker"), ("word", "kikkers")),
    "es": (("regex", r"(?-i)\bKike\b"),),
    "fi": (("regex", r"(?-i)\bKYS"),),
    "fil": (("word", "paki"),),
    "hu": (("regex", "kiké"),),
    "pl": (("word", "paki"),),
}

# Our own rules. `reject` only if there is no innocent meaning.
OWN = (
    (
        "reject",
        "sexual",
        "child porn for sale; selling child porn; buy child porn; trade child porn; "
        "trading child porn; looking for child porn; selling underage nudes; "
        "trade underage nudes; trading underage nudes; selling preteen nudes; "
        "trading preteen nudes",
    ),
    (
        "review",
        "sexual",
        "child porn; childporn; kiddie porn; preteen nudes; underage nudes; pthc",
    ),
    (
        "review",
        "scam",
        "western union; moneygram; wire transfer only; gift cards only; pay with gift cards; "
        "bitcoin only; crypto only; paypal friends and family; cashier's check; shipping agent; "
        "guaranteed profit; double your money; double your bitcoin; seed phrase; send me the code; "
        "fullz; cloned cards; counterfeit money; fake passport; fake passports; ssn for sale",
    ),
    (
        "review",
        "contact_off_site",
        "telegram me; whatsapp me; add me on snapchat; add me on telegram; add me on whatsapp; "
        "contact me on telegram; contact me on whatsapp; message me on telegram; "
        "message me on whatsapp; text me on whatsapp; kik me",
    ),
    ("review", "spam", "buy followers; casino bonus; no prescription needed; earn money from home"),
    ("review", "violence", "kill yourself; kys; i will kill you"),
    ("review", "hate", "heil hitler; gas the jews"),
)
OWN_SPECIAL: tuple[Row, ...] = (
    # Cassia fistula, sold by nurseries; meatballs of the English Midlands
    ("phrase", "golden shower tree", "allow", "other", 1, 0, "en"),
    ("phrase", "faggots in gravy", "allow", "other", 1, 0, "en"),
    ("phrase", "faggots and peas", "allow", "other", 1, 0, "en"),
    ("phrase", "pork faggots", "allow", "other", 1, 0, "en"),
    ("domain", "wa.me", "review", "contact_off_site", 1, 0, ""),
    ("domain", "t.me", "review", "contact_off_site", 1, 0, ""),
    (
        "regex",
        r"\b(?:whats ?app|telegram|viber)\b\W{0,3}\+?\d(?:[ -]?\d){7,14}",
        "review",
        "contact_off_site",
        1,
        0,
        "",
    ),
)


def download(folder: Path) -> Lists:
    """The lists of the package, which npm downloads; raises CalledProcessError if npm fails."""
    command = ["npm", "pack", "--silent", PACKAGE]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    lists = {}
    with tarfile.open(next(folder.glob("*.tgz"))) as archive:
        for language in ("en", *LANGUAGES):
            file = archive.extractfile(f"package/{language}.json")
            lists[language] = [" ".join(word.split()) for word in json.loads(file.read())]
    return lists


def rows(lists: Lists) -> Iterator[Row]:
    """Our own rules, then English, then the other languages; each pattern once a language."""
    known: set[tuple[str, str]] = set()
    for row in (*own(), *english(lists), *others(lists)):
        pattern, language = row[1].casefold(), row[6]
        if not known & {(pattern, language), (pattern, "")} and usable(row):
            known.add((pattern, language))
            yield row


def own() -> Iterator[Row]:
    everywhere = set(listed(EVERYWHERE))
    for action, label, patterns in OWN:
        for pattern in listed(patterns):
            language = "" if pattern in everywhere or action == "reject" else "en"
            yield (kind(pattern), pattern, action, label, 1, 0, language)
    yield from OWN_SPECIAL


def english(lists: Lists) -> Iterator[Row]:
    off, everywhere = set(listed(OFF)), set(listed(EVERYWHERE))
    labels = {pattern: label for label, text in LABELLED.items() for pattern in listed(text)}
    words = lists["en"]
    named = off | set(labels) | set(FOREIGN)
    if strangers := named - set(words):
        raise SystemExit(f"Not in {PACKAGE}: {', '.join(sorted(strangers))}")
    for word in words:
        if word not in FOREIGN:
            language = "" if word in everywhere else "en"
            label, active = labels.get(word, "sexual"), int(word not in off)
            inflected = is_inflected(word, language)
            yield (kind(word), word, "review", label, active, inflected, language)


def others(lists: Lists) -> Iterator[Row]:
    for name in LANGUAGES:
        language = CODES.get(name, name)
        off = {word.casefold() for word in listed(OFF_BY_LANGUAGE.get(language, ""))}
        words = [*lists[name], *(w for w, to in FOREIGN.items() if language in to)]
        if strangers := off - {word.casefold() for word in words}:
            raise SystemExit(f"Not in {name} of {PACKAGE}: {', '.join(sorted(strangers))}")
        for word in words:
            active = int(word.casefold() not in off and not is_too_short(word))
            inflected = is_inflected(word, language)
            yield (kind(word), word, "review", "profanity", active, inflected, language)
        for kind_of, pattern in ORDINARY.get(language, ()):
            yield (kind_of, pattern, "allow", "other", 1, 0, language)


def is_inflected(word: str, language: str) -> int:
    return int(language in INFLECTED and word.casefold() not in listed(NOT_INFLECTED))


def is_too_short(word: str) -> bool:
    """Whether the word would match too much: one character of a script without spaces."""
    return len(word.strip(".")) < 2


def listed(text: str) -> list[str]:
    return [" ".join(entry.split()) for entry in text.split(";") if entry.strip()]


def kind(pattern: str) -> str:
    return "phrase" if " " in pattern else "word"


def usable(row: Row) -> bool:
    try:
        validate(row[0], row[1])
    except PatternError as error:
        print(f"left out {row[1]!r}: {error}", file=sys.stderr)
        return False
    return True


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        made = list(rows(download(Path(folder))))
    with PATH.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(FIELDS)
        writer.writerows(made)
    active = [row for row in made if row[4]]
    first = sum(row[6] in ("", "en") for row in active)
    print(f"{PATH.name}: {len(made)} rules, {len(active)} on, {first} of these in English or any")


if __name__ == "__main__":
    main()
