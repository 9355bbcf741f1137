"""``scripts/hashes``."""

from __future__ import annotations

import argparse
from contextlib import closing
from typing import Any

from models.audit.log import Audit
from models.database.connection import db
from models.errors import Invalid
from models.hash_bank import import_export
from models.hash_bank.known_hash import FACTS, TOO_PLAIN, KnownHash
from models.settings import get_settings
from models.submissions.image import MIN_PDQ_QUALITY
from tasks.classifier.base import ClassifierDown
from tasks.commands import command, import_export_verbs
from tasks.hash_bank.hashing import sha256_file
from tasks.hash_bank.view_hashes import ViewHashes, worst_view
from tasks.images.decoder import Decoder
from tasks.images.decoder_child import DecoderDown
from tasks.images.limits import Limits, PictureError


def add(arguments: argparse.Namespace) -> None:
    """Add a picture to the hash bank, by SHA-256 and by PDQ (of an animation, the worst frame)."""
    try:
        with closing(Decoder(get_settings())) as decoder:
            picture = decoder.look(arguments.picture, Limits())
            code, quality = ViewHashes(picture).of(worst_view(picture.views))
    except (PictureError, DecoderDown, ClassifierDown) as error:
        raise Invalid(f"{arguments.picture}: {error}") from error
    with db.atomic():
        exact = bytes.fromhex(sha256_file(arguments.picture))
        kinds = (
            (("sha256", exact), ("pdq", code))
            if quality >= MIN_PDQ_QUALITY
            else (("sha256", exact),)
        )
        for kind, value in kinds:
            KnownHash.put(kind, value, arguments.action, arguments.label, note=arguments.picture)
        Audit.append("hashes.add", arguments.picture, to=arguments.action)
    if quality < MIN_PDQ_QUALITY:
        print(f"{arguments.action}: sha256 only; the picture is {TOO_PLAIN} (quality {quality})")
    else:
        print(f"{arguments.action}: sha256 and pdq {code.hex()} (quality {quality})")


def current() -> Any:
    """The entries of the bank, oldest first."""
    return KnownHash.select().where(KnownHash.removed_at.is_null()).order_by(KnownHash.id)


def main() -> None:
    """Run the verb."""
    made, verbs = command.parser("hashes")
    import_export_verbs.add_verbs(verbs, "hashes", import_export, FACTS, current)
    verb = verbs.add_parser("add", add_help=False)
    verb.add_argument("picture", metavar="PICTURE")
    verb.add_argument("--action", choices=("block", "allow"), required=True)
    verb.add_argument("--label", default="other")
    verb.set_defaults(act=add)
    command.run(made)


if __name__ == "__main__":
    main()
