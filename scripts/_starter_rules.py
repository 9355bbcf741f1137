"""Regenerates models/rules/data/starter_rules.csv: `python scripts/_starter_rules.py`. Needs npm.

The words come from the npm package naughty-words (LDNOOBW, CC-BY-4.0). This file sets which of them
are on, their labels, and our own rules.
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

from models.rules.matcher.matcher import PatternError, validate
from models.rules.starter_list import FIELDS, PATH

PACKAGE = "naughty-words@1.2.0"
LANGUAGES = """
ar cs da de eo es fa fi fil fr fr-CA-u-sd-caqc hi hu it ja kab ko nl no pl pt ru sv th tr zh
""".split()

Row = tuple[str, str, str, str, int]  # kind, pattern, action, label, active

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
    ("phrase", "golden shower tree", "allow", "other", 1),  # Cassia fistula, sold by nurseries
    ("domain", "wa.me", "review", "contact_off_site", 1),
    ("domain", "t.me", "review", "contact_off_site", 1),
    (
        "regex",
        r"\b(?:whats ?app|telegram|viber)\b\W{0,3}\+?\d(?:[ -]?\d){7,14}",
        "review",
        "contact_off_site",
        1,
    ),
)


def download(folder: Path) -> Path:
    """Download the package with npm and unpack it; raises CalledProcessError if npm fails."""
    command = ["npm", "pack", "--silent", PACKAGE]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    with tarfile.open(next(folder.glob("*.tgz"))) as archive:
        archive.extractall(folder, filter="data")
    return folder / "package"


def rows(package: Path) -> Iterator[Row]:
    """Our own rules, then English, then the other languages, each pattern once."""
    known: set[str] = set()
    for row in (*own(), *english(package), *others(package)):
        if row[1].casefold() not in known and usable(row):
            known.add(row[1].casefold())
            yield row


def own() -> Iterator[Row]:
    for action, label, patterns in OWN:
        for pattern in listed(patterns):
            yield (kind(pattern), pattern, action, label, 1)
    yield from OWN_SPECIAL


def english(package: Path) -> Iterator[Row]:
    off = set(listed(OFF))
    labels = {pattern: label for label, text in LABELLED.items() for pattern in listed(text)}
    words = entries(package, "en")
    if strangers := (off | set(labels)) - set(words):
        raise SystemExit(f"Not in {PACKAGE}: {', '.join(sorted(strangers))}")
    for word in words:
        yield (kind(word), word, "review", labels.get(word, "sexual"), int(word not in off))


def others(package: Path) -> Iterator[Row]:
    for language in LANGUAGES:
        for word in entries(package, language):
            yield (kind(word), word, "review", "profanity", 0)


def entries(package: Path, language: str) -> list[str]:
    words = json.loads((package / f"{language}.json").read_text(encoding="utf-8"))
    return [" ".join(word.split()) for word in words]


def listed(text: str) -> list[str]:
    return [" ".join(entry.split()) for entry in text.split(";")]


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
    active = sum(row[4] for row in made)
    print(f"{PATH.name}: {len(made)} rules, {active} of them on")


if __name__ == "__main__":
    main()
