"""The configuration files of the servers, written to SLUICE_HOME/etc at every `up`."""

from __future__ import annotations

import os
import re
import resource
import shlex
from pathlib import Path
from urllib.parse import urlsplit

from models.errors import SettingError, readable_size
from models.settings import ROOT, Settings, names
from tasks.servers.layout import user_name, write
from tasks.servers.postgres import APPLICATION, OWNER, SUPERUSER
from tasks.servers.procfile import SINGLE, Program

OPEN_FILES = 16384
LOOPBACK_OF = re.compile(r"^0\.0\.0\.0(:\d+)$")  # nginx connects to loopback for it
OFF = "# "  # ${TLS} and similar variables in nginx.conf comment out their line with it


def write_all(settings: Settings, programs: list[Program]) -> None:
    etc = settings.sluice_home / "etc"
    write(etc / "nginx.conf", nginx(settings))
    write(etc / "redis.conf", redis(settings))
    if not settings.database_url:
        write_postgres(settings)
    for program in programs:
        write(etc / "commands" / program.name, program.command + "\n")
    write(etc / "supervisord.conf", supervisor(settings, programs))


def write_postgres(settings: Settings) -> None:
    """Write the files of the embedded PostgreSQL."""
    etc = settings.sluice_home / "etc"
    write(etc / "postgresql.conf", postgres(settings))
    write(etc / "pg_hba.conf", postgres_authentication())
    write(etc / "pg_ident.conf", postgres_identities())


def nginx(settings: Settings) -> str:
    """nginx.conf of the repository with this stack's paths and numbers."""
    proxies, scrapers = names(settings.trusted_proxies), names(settings.metrics_allowed)
    paths = (settings.sluice_home, settings.media, ROOT)
    web = (settings.web_listen, settings.web_servers, settings.web_resolver)
    for word in (settings.host, settings.url, *web, *paths, *proxies, *scrapers):
        _refuse_syntax(str(word))
    values = {
        "ROOT": ROOT,
        "SLUICE_HOME": settings.sluice_home,
        "RUN": settings.run,
        "MEDIA": settings.media,
        "LISTEN": _listen(settings, settings.port),
        "HTTP_LISTEN": _listen(settings, settings.http_port),
        "TLS": "" if settings.tls_certificate else OFF,
        "REDIRECT": "" if settings.http_port else OFF,
        "HANDED": OFF if settings.web_listen or settings.web_servers else "",
        "SSL": "ssl " if settings.tls_certificate else "",
        "HSTS": settings.hsts_seconds,
        "URL": settings.url,
        "SCHEME": urlsplit(settings.url).scheme,
        "WEB_SERVERS": web_servers(settings),
        "TRUSTED_PROXIES": " ".join(f"set_real_ip_from {name};" for name in proxies),
        "METRICS_ALLOWED": " ".join(f"{name} 1;" for name in scrapers),
        "MAX_BODY_SIZE": settings.max_body_size,
        "MAX_BODY_TEXT": readable_size(settings.max_body_size),
        "NGINX_RATE": settings.nginx_rate,
        "NGINX_CONNECTIONS": settings.nginx_connections,
        "NGINX_UPLOADS": settings.nginx_uploads,
        "OPEN_FILES": open_files(),
    }
    text = (ROOT / "nginx.conf").read_text("utf-8")
    return re.sub(r"\$\{([A-Z_]+)\}", lambda token: str(values[token[1]]), text)


def web_servers(settings: Settings) -> str:
    """The web instances for nginx's ``upstream``.

    A name may resolve to several instances and change later, so nginx resolves it repeatedly with
    this machine's name servers. They need full names, such as web.sluice.svc.cluster.local.
    """
    local = [settings.web_address(number) for number in range(settings.web_instances)]
    reachable = [LOOPBACK_OF.sub(r"127.0.0.1\1", address) for address in local]
    lines, has_names = [], False
    for address in names(settings.web_servers) or reachable:
        is_name = bool(re.search(r"^[^\[:]*[a-zA-Z]", address)) and not address.startswith("unix:")
        has_names |= is_name
        lines.append(f'server "{address}" fail_timeout=1s{" resolve" * is_name};')
    if has_names:
        servers = names(settings.web_resolver) or name_servers()
        lines.insert(0, f"resolver {' '.join(servers)} valid=5s;")
    return " ".join(lines)


def name_servers(path: Path = Path("/etc/resolv.conf")) -> list[str]:
    """This machine's name servers in nginx's syntax."""
    try:
        servers = re.findall(r"^nameserver\s+([^\s%]+)", path.read_text("utf-8"), re.MULTILINE)
    except OSError:
        servers = []
    if not servers:
        raise SettingError(f"WEB_SERVERS has a name, but {path} has no nameserver to resolve it")
    return [f"[{address}]" if ":" in address else address for address in servers]


def _listen(settings: Settings, port: int) -> str:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{host}:{port}"


def _refuse_syntax(value: str) -> None:
    """Refuse a setting that could end its directive and begin another one."""
    if re.search(r"[\n;#{}\"'$\\]", value):
        raise SettingError(
            f"{value!r} has a character that is not allowed in a server's configuration"
        )


def open_files() -> int:
    """Files that nginx may open: ``OPEN_FILES``, or this user's limit if lower."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)


def redis(settings: Settings) -> str:
    folder = settings.sluice_home / "redis"
    folder.mkdir(mode=0o700, exist_ok=True)
    return f"""\
# Made by scripts/up.
port 0
unixsocket "{settings.run}/redis.sock"
unixsocketperm 700
dir "{folder}"
daemonize no
set-proc-title no
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
maxclients 4096
tcp-backlog 511
timeout 0
loglevel notice
"""


def postgres(settings: Settings) -> str:
    """Settings for a 4 GB machine that also runs the rest; every process may fill its pool."""
    pools = (settings.web_instances + 1) * settings.db_pool_max
    members = settings.max_workers + settings.max_priority_workers
    etc = settings.sluice_home / "etc"
    return f"""\
# Made by scripts/up.
listen_addresses = ''
unix_socket_directories = '{settings.run}'
unix_socket_permissions = 0700
hba_file = '{etc}/pg_hba.conf'
ident_file = '{etc}/pg_ident.conf'
max_connections = {max(120, pools + 2 * members + 10)}
shared_buffers = 128MB
effective_cache_size = 1GB
work_mem = 8MB
maintenance_work_mem = 64MB
max_wal_size = 1GB
wal_compression = on
random_page_cost = 1.1
io_method = sync
jit = off
huge_pages = off
timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] %u@%d '
# Statements contain people's texts: they are never logged.
log_min_error_statement = panic
log_error_verbosity = terse
log_lock_waits = on
log_checkpoints = off
"""


def postgres_authentication() -> str:
    """pg_hba.conf: the application by its system user, the owner and the superuser by password."""
    return f"local all {APPLICATION} peer map=sluice\nlocal all {OWNER},{SUPERUSER} scram-sha-256\n"


def postgres_identities() -> str:
    """Let this system user connect as the application, and as nothing else.

    Raises SettingError if it has no name: PostgreSQL identifies it by that.
    """
    user = user_name(os.getuid())
    if user == str(os.getuid()):
        raise SettingError(
            f"the user {user} has no name on this machine, which the embedded PostgreSQL needs:"
            " add it to /etc/passwd, or set DATABASE_URL"
        )
    return f'sluice "{user}" {APPLICATION}\n'


def supervisor(settings: Settings, programs: list[Program]) -> str:
    home, run = settings.sluice_home, settings.run
    head = f"""\
; Made by scripts/up from the Procfile.
[unix_http_server]
file = {_ini(run)}/supervisor.sock
chmod = 0700

[supervisord]
nodaemon = true
silent = true
pidfile = {_ini(run)}/supervisord.pid
logfile = {_ini(home)}/log/supervisord.log
logfile_maxbytes = {settings.log_max_size}
logfile_backups = {settings.log_files}
childlogdir = {_ini(home)}/log
minfds = 1024
strip_ansi = false

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl = unix://{_ini(run)}/supervisor.sock
"""
    return head + "".join(_section(settings, program) for program in programs)


def _section(settings: Settings, program: Program) -> str:
    home = settings.sluice_home
    pool = program.name not in SINGLE
    member = f"{program.stem}_%(process_num)02d" if pool else program.name
    instance = "%(process_num)02d" if pool else "00"
    start = shlex.quote(str(ROOT / "scripts" / "_member"))
    return f"""
[program:{program.name}]
command = /bin/sh {_ini(start)} {program.name}
directory = {_ini(ROOT)}
process_name = {member}
numprocs = {program.size}
environment = PROCESS_NAME="{member}",INSTANCE="{instance}"
autostart = false
autorestart = true
startsecs = 1
startretries = 100
stopsignal = {program.signal}
stopwaitsecs = {program.patience}
killasgroup = true
priority = {program.phase}
redirect_stderr = true
stdout_logfile = {_ini(home)}/log/{member}.log
stdout_logfile_maxbytes = {settings.log_max_size}
stdout_logfile_backups = {settings.log_files}
"""


def _ini(text: object) -> str:
    """A value for supervisor's file, in which ``%`` begins an expression."""
    return str(text).replace("%", "%%")
