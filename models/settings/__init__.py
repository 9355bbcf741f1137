"""The operator's settings, read once from the environment into one frozen object.

Open ``table.py`` first: every setting with its default, unit and help text. ``sources.py`` reads
them, ``validation.py`` validates them, ``process.py`` holds those of the running process.
"""

from models.settings.parsing import addresses, names, read_env_file
from models.settings.process import get_settings, per_process, use_settings
from models.settings.settings import Settings
from models.settings.table import ENGINES, ROOT

__all__ = [
    "ENGINES",
    "ROOT",
    "Settings",
    "addresses",
    "get_settings",
    "names",
    "per_process",
    "read_env_file",
    "use_settings",
]
