"""The job queue: two lanes in Redis, and the channel that announces decisions.

Open ``lanes.py`` first: enqueue, lanes, and what a message holds. A job is only a wake-up; the
rows in PostgreSQL hold the work.
"""
