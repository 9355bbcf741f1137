"""The trials of `scripts/faults`: one module per family of faults."""
