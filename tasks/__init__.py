"""The background processes: everything that waits for the network, a disk or a processor.

Imports ``models``, never ``webapp``. The processes are ``worker.py`` (started by ``consume.py``),
``standby.py`` for what runs on a clock, and ``autoscale.py``. Open ``worker.py`` first.
"""
