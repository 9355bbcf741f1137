"""The commands, and the packages of scripts/bench and scripts/faults; not part of the server."""
