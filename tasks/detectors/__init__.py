"""Detectors behind one interface: a text or a picture's views in, scores of labels out.

Open ``base.py`` first: what a detector declares, takes and yields. ``registry.py`` has the table of
detectors and their states; ``guard.py`` calls one with a deadline, a circuit breaker and metrics.
"""
