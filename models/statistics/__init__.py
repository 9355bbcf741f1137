"""Counters, rollups and load samples behind the charts.

Open ``rollup.py`` first: it counts committed rows into minutes, hours and days. ``history.py``
reads the counts for a chart.
"""
