"""``scripts/settings check``: every value, every name, and every server that the settings name."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator

from models.errors import SluiceError
from models.settings import Settings, use_settings
from models.settings.sources import Sources, given_in_file
from tasks.servers import certificate, external_servers, layout
from tasks.stack.console import end_with_reader, one_line_errors

ERROR, WARNING, OK = "error", "warning", "ok"
Result = tuple[str, str]  # one of these words, and a sentence


def main() -> None:
    """Print a line for each result; exit code 1 if one is an error."""
    parser = argparse.ArgumentParser(prog="scripts/settings", add_help=False)
    parser.add_argument("verb", choices=["check"], metavar="check")
    parser.add_argument("--offline", action="store_true")
    options = parser.parse_args()
    with one_line_errors("settings"):
        results = list(check(online=not options.offline))
    end_with_reader()
    for word, sentence in results:
        print(f"{word:<8} {sentence}")
    if any(word == ERROR for word, _ in results):
        raise SystemExit(1)


def check(*, online: bool) -> Iterator[Result]:
    """The results; ``online``: ask the servers too."""
    settings, errors = Settings.load_valid()
    use_settings(settings)
    sources = Sources.read(os.environ)
    if sources.file.values:
        yield OK, f"{sources.file.path}: {given_in_file(sources)} settings"
    elif not sources.file.errors:
        yield OK, f"{sources.file.path}: no settings, so all have their defaults"
    for error in errors:
        yield ERROR, error
    for warning in sources.warnings():
        yield WARNING, warning
    yield from _files(settings)
    if online:
        for name, ask in external_servers.checks(settings):
            yield _result(name, ask, settings)


def _files(settings: Settings) -> Iterator[Result]:
    """The files that the settings name."""
    if settings.tls_certificate:
        yield _result("certificate", _certificate, settings)
    if settings.secrets_path:
        yield _result("secrets", _secrets, settings)


def _result(name: str, ask: Callable[[Settings], str], settings: Settings) -> Result:
    try:
        return OK, f"{name}: {ask(settings)}"
    except SluiceError as error:
        return ERROR, error.detail


def _certificate(settings: Settings) -> str:
    return f"valid until {certificate.read(settings).until:%Y-%m-%d}"


def _secrets(settings: Settings) -> str:
    layout.check_secrets(settings)
    return str(settings.secrets)


if __name__ == "__main__":
    main()
