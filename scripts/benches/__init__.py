"""The measurements of `scripts/bench`: one module per family of rows."""
