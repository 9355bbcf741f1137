"""The demo's uploads: a mixed stream that depends only on the seed."""

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
REPEATABLE = 40  # last pictures that may be sent again


@dataclass(frozen=True)
class DemoUpload:
    """One request: its form fields, and its files as (name, bytes)."""

    fields: dict[str, str]
    pictures: list[Picture] = field(default_factory=list)


class Stream:
    """A random stream of uploads; ``seed`` determines all of it."""

    def __init__(self, seed: int, count: int) -> None:
        self._chance = Random(seed)  # nosec B311
        self._people = max(12, count // PER_AUTHOR)
        self._seed, self._count = seed, count
        self._earlier: list[Picture] = []
        self._turn = 0

    def __iter__(self) -> Iterator[DemoUpload]:
        """``count`` uploads, first one of every kind, so that a short demo shows all kinds."""
        kinds, weights = [kind for kind, _ in KINDS], [weight for _, weight in KINDS]
        for number in range(self._count):
            if number < len(kinds):
                yield kinds[number](self)
            else:
                yield self._chance.choices(kinds, weights)[0](self)

    def listing(self) -> DemoUpload:
        """An advertisement with a drawn picture."""
        return DemoUpload(self._fields("ad"), [self._new(drawings.drawn(self._chance))])

    def photograph(self) -> DemoUpload:
        """A post with a harmless photograph."""
        return DemoUpload(self._fields("post"), [self._sample("safe")])

    def doubtful(self) -> DemoUpload:
        """A post with a sample picture that needs a review."""
        return DemoUpload(self._fields("post"), [self._sample("review")])

    def bad(self) -> DemoUpload:
        """A post with a sample picture that is rejected."""
        return DemoUpload(self._fields("post"), [self._sample("reject")])

    def words(self) -> DemoUpload:
        """Harmless text without a picture."""
        return DemoUpload(self._fields(self._chance.choice(("ad", "post"))))

    def scam(self) -> DemoUpload:
        """Text that matches a rule, in plain or disguised spelling."""
        return DemoUpload(self._fields(self._chance.choice(("scam", "scam", "evasive"))))

    def repeat(self) -> DemoUpload:
        """The same bytes as an earlier picture."""
        return DemoUpload(self._fields("post"), [self._chance.choice(self._earlier)])

    def look_alike(self) -> DemoUpload:
        """A near duplicate of a sample picture."""
        origin = self._chance.choice(drawings.samples(self._chance.choice(("reject", "safe"))))
        return DemoUpload(self._fields("post"), [drawings.look_alike(origin, self._chance)])

    def moving(self) -> DemoUpload:
        """An animation; one of the samples has a single bad frame."""
        made = drawings.animation(self._chance)
        given = self._chance.choice(drawings.samples("animated"))
        return DemoUpload(self._fields("post"), [self._chance.choice((made, made, given))])

    def album(self) -> DemoUpload:
        """An upload of two to five pictures."""
        pictures = [drawings.drawn(self._chance) for _ in range(self._chance.randint(1, 4))]
        return DemoUpload(self._fields("ad"), [*pictures, self._sample("safe")])

    def spam(self) -> DemoUpload:
        """One author who exceeds the limits and gets 429."""
        return DemoUpload({**self._fields("scam"), "user_id": SPAMMER, "user_ip": "192.0.2.1"})

    def broken(self) -> DemoUpload:
        """Invalid uploads, which are refused with a reason."""
        fields = self._fields("post")
        return self._chance.choice(
            (
                DemoUpload(fields, [("holiday.jpg", b"This is not a picture.\n" * 20)]),
                DemoUpload({**fields, "user_id": ""}),
                DemoUpload({**fields, "priority": "urgent"}),
                DemoUpload({**fields, "user_ip": "next door"}),
            )
        )

    def _fields(self, kind: str) -> dict[str, str]:
        chance, self._turn = self._chance, self._turn + 1
        author = self._turn % self._people
        title, description = chance.choice(_texts()[kind])
        values = {
            "price": f"{chance.randint(5, 900)} {chance.choice('€$£')}",
            "city": chance.choice(CITIES),
            "day": chance.choice(DAYS),
            "n": str(chance.randint(2, 99)),
        }
        return {
            "user_id": f"{NAMES[author % len(NAMES)]}_{self._seed % 10_000}_{author}",
            "user_ip": f"198.51.{100 + author // 250 % 100}.{1 + author % 250}",
            "title": title.format(**values),
            "description": description.format(**values),
            "external_id": f"demo-{self._seed}-{self._turn}",
            "priority": chance.choices(("normal", "priority"), (6, 1))[0],
        }

    def _sample(self, prefix: str) -> Picture:
        """A sample picture; a safe one mostly as a near duplicate, so that the network must run.

        The other samples score high because of their noise, which a change would remove.
        """
        picture = self._chance.choice(drawings.samples(prefix))
        if prefix == "safe" and self._chance.random() < 0.7:
            picture = drawings.look_alike(picture, self._chance)
        return self._new(picture)

    def _new(self, picture: Picture) -> Picture:
        self._earlier = [*self._earlier[-REPEATABLE:], picture]
        return picture


Kind = Callable[[Stream], DemoUpload]

# The weight of each kind.
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
