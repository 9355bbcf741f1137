"""``scripts/demo``: a varied stream of real uploads, so that a newcomer sees the console alive."""
