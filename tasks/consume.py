"""Starts a worker: ``python -m tasks.consume`` with the options of Huey's consumer.

It is Huey's consumer without gevent. Huey imports gevent if it is installed, which costs each
worker 3 MB for nothing, as jobs run on threads. Positional arguments are ignored: until 0.1 the
Procfile named the Huey object (``tasks.worker.huey``) here.
"""

from __future__ import annotations

import logging
import sys


def main() -> None:
    """Work off the queue until SIGTERM or SIGINT."""
    from huey.consumer_options import ConsumerConfig, OptionParserHandler

    from models.database import schema
    from models.settings import Settings, use_settings
    from tasks import worker
    from tasks.observability import logs
    from tasks.queue.lanes import get_huey

    options, _ = OptionParserHandler().get_option_parser().parse_args()
    config = ConsumerConfig(**{k: v for k, v in vars(options).items() if v is not None})
    config.validate()
    settings = use_settings(Settings.load())
    logs.start(settings.log_format)
    schema.wait_for_schema(settings)
    worker.make().register(get_huey())
    config.setup_logger(logging.getLogger("huey"))
    get_huey().create_consumer(**config.values).run()


if __name__ == "__main__":
    sys.modules["gevent"] = None  # type: ignore[assignment]  # makes ``import gevent`` fail
    main()
