"""The commands behind ``scripts/client``, ``moderator``, ``rules`` and ``hashes``."""
