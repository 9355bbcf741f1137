"""The house's own plumbing: what the scripts up, down, status and scale do, behind bash."""
