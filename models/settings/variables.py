"""Which environment variables Sluice reads, and which name somebody may have meant."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from functools import cache

from models.settings.parsing import EnvFile
from models.settings.table_notices import FullTable

# What a process may inherit besides the settings. The rest of the environment of `up`, which may
# hold tokens, is not passed on.
PASSED = frozenset(
    "LANG TZ LD_LIBRARY_PATH SSL_CERT_FILE SSL_CERT_DIR REQUESTS_CA_BUNDLE HTTP_PROXY HTTPS_PROXY"
    " NO_PROXY http_proxy https_proxy no_proxy".split(" ")
)
PASSED_PREFIXES = tuple(
    "ALERT_ AWS_ CUDA_ JAX_ KERAS_ LC_ MALLOC_ NVIDIA_ OMP_ OTEL_ SLUICE_ XLA_".split(" ")
)
BINARIES = frozenset({"NGINX_BIN", "REDIS_BIN", "POSTGRES_BIN"})
# Every name with these prefixes is one of Sluice's own, so a name that is not known is a mistake.
OWN_PREFIXES = ("ALERT_", "SLUICE_")
# Read by the scripts before there are settings, or passed between the processes.
OF_SCRIPTS = frozenset("SLUICE_USER SLUICE_RUN SLUICE_STACK SLUICE_ROOT SLUICE_LANES".split(" "))
OF_COMPOSE = frozenset({"SLUICE_IMAGE", "SLUICE_LISTEN", "SLUICE_SECRETS"})
ONLY_ENVIRONMENT = frozenset({"SLUICE_HOME", "SLUICE_USER"})
NEAR, VERY_NEAR = 0.6, 0.85  # similarity: in our own file, and in an environment with other names


@cache
def setting_names() -> frozenset[str]:
    """The variables of all settings, with their ``NAME_FILE`` variables."""
    names = {f.name.upper() for f in fields(FullTable)}
    return frozenset(names | {f"{name}_FILE" for name in names})


def warnings(file: EnvFile, environ: Mapping[str, str]) -> Iterator[str]:
    """A sentence for each name that has no effect: in the file, and mistyped in the environment."""
    yield from file.repeated
    for name in file.values:
        if name in ONLY_ENVIRONMENT:
            yield f"{file.place(name)}: {name} has no effect here: set it in the environment"
        elif not _is_read(name):
            meant = nearest(name, NEAR)
            hint = f"did you mean {meant}?" if meant else "docs/settings.md lists all settings"
            yield f"{file.place(name)}: {name} is not a setting: {hint}"
    for name in environ:
        meant = "" if name in file.values or _is_read(name) else nearest(name, VERY_NEAR)
        if meant:
            yield f"{name} in the environment is not a setting: did you mean {meant}?"


def nearest(name: str, least: float) -> str:
    """The setting that a name is most similar to; "" if none is similar enough."""
    word = re.sub(r"^EXPORT\s+", "", name.strip().upper()).replace("-", "_").replace(" ", "_")
    if word.removeprefix("SLUICE_") in setting_names():
        return word.removeprefix("SLUICE_")
    matches = difflib.get_close_matches(word, sorted(setting_names()), 1, least)
    return matches[0] if matches else ""


def _is_read(name: str) -> bool:
    if name in setting_names() | PASSED | BINARIES | OF_SCRIPTS | OF_COMPOSE:
        return True
    return name.startswith(PASSED_PREFIXES) and not name.startswith(OWN_PREFIXES)
