"""Look-ahead: the pictures of the next jobs are decoded and hashed during inference.

Gain: a picture of 800 x 800 pixels takes 6.0 ms to decode, scale, hash and prepare, and 9.6 ms in
the network (docs/performance.md, "A worker"). Behind the network's work these 6.0 ms cost no time,
as long as there is a second core.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from tasks.moderation.job import Job

PICTURES = 2  # decoded before their turn, about 1 MB each
log = logging.getLogger("sluice.moderate")


class LookAhead:
    """Begins jobs before their turn, until ``PICTURES`` pictures are decoded or being decoded.

    Jobs whose pictures are cached have nothing to decode, so any number of them may be begun.
    """

    def __init__(self, jobs: Sequence[Job], begin_one: Callable[[Job], None]) -> None:
        self._jobs, self._begin_one = jobs, begin_one
        self._begun = int(len(jobs) == 1)  # a job that is alone is begun in its turn

    def begin(self, at: int) -> None:
        """Begin the job at this index, whose turn it is, and some of those after it."""
        while self._begun < len(self._jobs):
            pictures = sum(job.pictures_ahead for job in self._jobs[at + 1 : self._begun])
            if self._begun > at and pictures >= PICTURES:
                return
            job = self._jobs[self._begun]
            self._begun += 1
            try:
                self._begin_one(job)
            except Exception as error:  # raised again when it is the job's turn
                log.debug("%s: %s", job.submission.id, error)
