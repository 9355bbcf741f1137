from models.settings.parsing import addresses, names, read_env_file
from models.settings.settings import Settings
from models.settings.table import ENGINES, ROOT

__all__ = ["ENGINES", "ROOT", "Settings", "addresses", "names", "read_env_file"]
