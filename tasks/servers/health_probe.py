"""Whether a running stack answers ``/healthz``: the site through nginx, or one web instance."""

from __future__ import annotations

import http.client
import ssl

from models.settings import Settings
from tasks.servers.supervisor_client import UNREACHABLE, UnixConnection


def site_answers(settings: Settings) -> bool:
    """Whether /healthz answers 200 through nginx."""
    host, port = settings.local_host, settings.port
    if settings.scheme != "https":
        return _answers(http.client.HTTPConnection(host, port, timeout=5))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # the certificate is the public name's, not this address's
    context.verify_mode = ssl.CERT_NONE
    return _answers(http.client.HTTPSConnection(host, port, timeout=5, context=context))


def web_answers(settings: Settings, name: str) -> bool:
    """Whether a web instance, such as ``web_00``, answers 200 on its own socket."""
    return _answers(UnixConnection(settings.run / f"{name}.sock", 5))


def _answers(connection: http.client.HTTPConnection) -> bool:
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except UNREACHABLE:
        return False
    finally:
        connection.close()
