"""Log lines, metrics and traces of every process.

Open ``metrics.py`` first: each metric with its name and help. ``logs.py`` writes JSON lines,
``tracing.py`` sends OpenTelemetry spans.
"""
