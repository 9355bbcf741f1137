"""A circuit breaker: while a server does not respond, all callers in a process fail at once. Pure.

The kept libraries do not fit. pybreaker holds its lock during the guarded call, so that calls run
one after another; circuitbreaker and aiobreaker count failed calls, so several callers wait for the
full timeout first, and a slow query counts like a hung server. Here one probe decides: a caller
that has waited for some time asks for it, and the other callers share its result.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

EVERY = 0.5  # seconds between two probes while the server does not respond
LONGEST_PROBE = 10.0  # seconds after which nobody waits for another caller's probe
SILENT = "does not respond"
log = logging.getLogger("sluice.breaker")


class CircuitBreaker:
    """Whether calls to a server may be made.

    ``probe`` returns "" if the server works, else what is wrong, in words; it must return within
    a second or two.

    Safe with threads and greenlets: 1. the state changes only under ``_guard``, which is never held
    during a probe; 2. one caller probes, the others wait for its result; 3. after a failed probe
    one background thread probes until the server works, and it ends with that.
    """

    def __init__(self, name: str, probe: Callable[[], str]) -> None:
        self.name, self._probe = name, probe
        self._guard = threading.Lock()
        self._probing: threading.Event | None = None
        self._trouble = ""
        self._worked = float("-inf")  # when the last successful probe began
        self.recoveries = 0  # how often the server has come back

    @property
    def trouble(self) -> str:
        """What is wrong with the server as far as is known; "" if it works."""
        return self._trouble

    def settled(self) -> str:
        """What is wrong with the server; waits for a probe that is running."""
        probing = self._probing
        if probing is not None and not self._trouble:
            probing.wait(LONGEST_PROBE)
        return self._trouble

    def verify(self, waited: float = 0.0) -> str:
        """Probe the server, because a call failed or has waited; returns what is wrong, else "".

        A successful probe that began within the last ``waited`` seconds is not repeated.
        """
        own, began = threading.Event(), time.monotonic()
        with self._guard:
            if self._trouble or began - self._worked < waited:
                return self._trouble
            probing = self._probing = self._probing or own
        if probing is not own:
            probing.wait(LONGEST_PROBE)
            return self._trouble
        trouble = self._ask()
        self._settle(trouble, began)
        own.set()
        return trouble

    def _ask(self) -> str:
        """The probe's result; a probe that raises counts as failed, or nothing would ever retry."""
        try:
            return self._probe()
        except Exception:
            log.exception("the probe of %s failed", self.name)
            return SILENT

    def _settle(self, trouble: str, began: float) -> None:
        with self._guard:
            self._probing, self._trouble = None, trouble
            if not trouble:
                self._worked = began
        if trouble:
            log.warning("%s %s: calls fail at once until it works again", self.name, trouble)
            threading.Thread(target=self._recover, name=f"probe {self.name}", daemon=True).start()

    def _recover(self) -> None:
        trouble = self._trouble
        while trouble:
            time.sleep(EVERY)
            trouble = self._ask()
            with self._guard:
                self.recoveries += not trouble
                self._trouble = trouble
        log.warning("%s works again", self.name)
