"""What `scripts/faults` tries: a module a family of faults."""
