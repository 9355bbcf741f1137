"""What the demo sends: a mixed stream of uploads, the same for the same seed."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import Random

from tasks.demo import drawings
from tasks.demo.drawings import Picture

PER_AUTHOR = 4  # uploads by one author, well below the limit of 10 a minute
SPAMMER = "spam_machine_9000"
NAMES = "ana ben chloe dmitri elif farid gita hugo ines jun kofi lena mei nour otto priya".split()
CITIES = "Aarhus,Bologna,Cluj,Dresden,Exeter,Faro,Ghent,Haifa,Izmir,Jaipur,Kyoto,Lyon".split(",")
DAYS = "Monday,Tuesday,Wednesday,Thursday,Friday,Saturday,Sunday".split(",")
KEPT = 40  # pictures that may come again


@dataclass(frozen=True)
class Upload:
    """One request: its form fields, and its files as (name, bytes)."""

    fields: dict[str, str]
    pictures: list[Picture] = field(default_factory=list)


class Stream:
    """An endless variety of uploads; ``seed`` decides all of it."""

    def __init__(self, seed: int, count: int) -> None:
        self._chance = Random(seed)  # nosec B311
        self._people = max(12, count // PER_AUTHOR)
        self._seed, self._count = seed, count
        self._earlier: list[Picture] = []
        self._turn = 0

    def __iter__(self) -> Iterator[Upload]:
        """``count`` uploads, the first ones of every kind so that a short demo shows them too."""
        kinds, weights = [kind for kind, _ in KINDS], [weight for _, weight in KINDS]
        for number in range(self._count):
            if number < len(kinds):
                yield kinds[number](self)
            else:
                yield self._chance.choices(kinds, weights)[0](self)

    def listing(self) -> Upload:
        """An advertisement with a drawn picture."""
        return Upload(self._fields("ad"), [self._new(drawings.drawn(self._chance))])

    def photograph(self) -> Upload:
        """A post with a harmless photograph."""
        return Upload(self._fields("post"), [self._sample("safe")])

    def doubtful(self) -> Upload:
        """A post with a sample picture that a person must look at."""
        return Upload(self._fields("post"), [self._sample("review")])

    def bad(self) -> Upload:
        """A post with a sample picture that is rejected."""
        return Upload(self._fields("post"), [self._sample("reject")])

    def words(self) -> Upload:
        """Text alone, harmless."""
        return Upload(self._fields(self._chance.choice(("ad", "post"))))

    def scam(self) -> Upload:
        """Text that trips a rule, in plain or in disguised spelling."""
        return Upload(self._fields(self._chance.choice(("scam", "scam", "evasive"))))

    def repeat(self) -> Upload:
        """The very bytes that came before."""
        return Upload(self._fields("post"), [self._chance.choice(self._earlier)])

    def look_alike(self) -> Upload:
        """A picture that only looks like one that came before."""
        origin = self._chance.choice(drawings.samples(self._chance.choice(("reject", "safe"))))
        return Upload(self._fields("post"), [drawings.look_alike(origin, self._chance)])

    def moving(self) -> Upload:
        """An animation; in one of the samples a single frame is bad."""
        made = drawings.animation(self._chance)
        given = self._chance.choice(drawings.samples("animated"))
        return Upload(self._fields("post"), [self._chance.choice((made, made, given))])

    def album(self) -> Upload:
        """Two to five pictures in one."""
        pictures = [drawings.drawn(self._chance) for _ in range(self._chance.randint(1, 4))]
        return Upload(self._fields("ad"), [*pictures, self._sample("safe")])

    def spam(self) -> Upload:
        """One author who sends far too much: the limits answer 429."""
        return Upload({**self._fields("scam"), "user_id": SPAMMER, "user_ip": "192.0.2.1"})

    def broken(self) -> Upload:
        """What a client may get wrong; each is refused with a reason."""
        fields = self._fields("post")
        return self._chance.choice(
            (
                Upload(fields, [("holiday.jpg", b"This is no picture at all.\n" * 20)]),
                Upload({**fields, "user_id": ""}),
                Upload({**fields, "priority": "urgent"}),
                Upload({**fields, "user_ip": "next door"}),
            )
        )

    def _fields(self, kind: str) -> dict[str, str]:
        chance, self._turn = self._chance, self._turn + 1
        author = self._turn % self._people
        title, description = chance.choice(_texts()[kind])
        known = {
            "price": f"{chance.randint(5, 900)} {chance.choice('€$£')}",
            "city": chance.choice(CITIES),
            "day": chance.choice(DAYS),
            "n": str(chance.randint(2, 99)),
        }
        return {
            "user_id": f"{NAMES[author % len(NAMES)]}_{self._seed % 10_000}_{author}",
            "user_ip": f"198.51.{100 + author // 250 % 100}.{1 + author % 250}",
            "title": title.format(**known),
            "description": description.format(**known),
            "external_id": f"demo-{self._seed}-{self._turn}",
            "priority": chance.choices(("normal", "priority"), (6, 1))[0],
        }

    def _sample(self, beginning: str) -> Picture:
        """A sample picture; a harmless one mostly as a look-alike, so that the network has work.

        The others score high by their very noise, which a change would take away.
        """
        picture = self._chance.choice(drawings.samples(beginning))
        if beginning == "safe" and self._chance.random() < 0.7:
            picture = drawings.look_alike(picture, self._chance)
        return self._new(picture)

    def _new(self, picture: Picture) -> Picture:
        self._earlier = [*self._earlier[-KEPT:], picture]
        return picture


Kind = Callable[[Stream], Upload]

# How often each comes, in shares of the whole.
KINDS: tuple[tuple[Kind, float], ...] = (
    (Stream.listing, 22),
    (Stream.photograph, 9),
    (Stream.doubtful, 6),
    (Stream.bad, 6),
    (Stream.words, 20),
    (Stream.scam, 12),
    (Stream.repeat, 5),
    (Stream.look_alike, 4),
    (Stream.moving, 4),
    (Stream.album, 4),
    (Stream.spam, 6),
    (Stream.broken, 2),
)


@cache
def _texts() -> dict[str, list[tuple[str, str]]]:
    """(title, description) by kind."""
    texts: dict[str, list[tuple[str, str]]] = {}
    path = Path(__file__).parent / "texts.csv"
    for row in csv.DictReader(path.read_text("utf-8").splitlines()):
        texts.setdefault(row["kind"], []).append((row["title"], row["description"]))
    return texts
