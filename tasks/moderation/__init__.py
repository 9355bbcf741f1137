"""The pipeline of one submission in a worker: claim, decode, check, verdict, commit.

Open ``pipeline.py`` first and read it from top to bottom; then ``checks.py``. Prefetching, decoding
ahead, group commit, lease renewal and the caches have files of their own beside it.
"""
