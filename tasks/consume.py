"""Starts a worker: ``python -m tasks.consume tasks.worker.huey`` with the consumer's options.

It is huey's consumer without gevent, which that imports wherever it finds it: 3 MB of every worker
for nothing, as jobs run on threads.
"""

from __future__ import annotations

import sys

if __name__ == "__main__":
    sys.modules["gevent"] = None  # type: ignore[assignment]  # how an import is made to fail

    from huey.bin.huey_consumer import consumer_main

    consumer_main()
