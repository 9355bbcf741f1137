"""Attacks from inside the decoder's process, as a test orders them (see `decoder_attacks`)."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from tasks.images import decoder_child, decoder_protocol
from tasks.images.decoder_child import Child

ATTACKER = ("tests.support.decoder_attacks",)
REFUSED = {"EPERM", "EACCES", "ENOSYS", "killed: SIGSYS"}


class Attacker:
    """A child that attacks; what it aims at is made anew for each attack."""

    def __init__(self, folder: Path, aim: dict[str, Any], *program: str) -> None:
        self._folder, self._aim = folder, aim
        self.child: Child = decoder_child.start(512, folder, program or ATTACKER)
        self._ready = True

    def __call__(self, name: str, **aim: Any) -> str:
        """What the attack gained, the error that refused it, or the signal that killed it."""
        aim = {"attack": name, **self._aim, **self._fresh(), **aim}
        if not self._ready:
            self._receive()
        self._ready = False
        with open(aim["picture"], "rb") as picture:
            decoder_protocol.send_request(self.child.sock, aim, picture.fileno())
        fields = self._receive()
        if "ended" in fields:
            code = fields["ended"]
            return f"killed: {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        self._receive()
        return str(fields["outcome"]).partition(":")[0]

    def _fresh(self) -> dict[str, str]:
        folder = self._folder / os.urandom(8).hex()
        folder.mkdir()
        (folder / "victim").write_text("a secret")
        (folder / "picture").write_bytes(b"a picture")
        names = {"path": folder / "victim", "folder": folder, "picture": folder / "picture"}
        return {name: str(path) for name, path in names.items()}

    def _receive(self) -> dict[str, Any]:
        deadline = time.monotonic() + 60
        return decoder_protocol.receive_response(self.child.sock, 0, self._folder, deadline)[0]
