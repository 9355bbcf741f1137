"""The Procfile is the one list of processes: the supervisor's file and `up` come from it."""

import configparser
import re

import pytest

from models.errors import SettingError
from models.settings import ROOT, Settings
from tasks.servers import configs, procfile, worker_pool
from webapp.console.shared import sheet_upload
from webapp.http import body_limits
from webapp.uploads import fields

TEXT = (ROOT / "Procfile").read_text()


def settings(**values):
    return Settings(**values)


def programs(**values):
    it = settings(**values)
    return procfile.programs(it, worker_pool.sizes(it))


def test_every_process_has_its_traits():
    assert {name for name, _ in procfile.read()} == set(procfile.TRAITS)


@pytest.mark.parametrize(("name", "command"), procfile.read())
def test_every_command_becomes_its_process(name, command):
    assert command.startswith("exec "), "signals would stop at the shell"


def test_every_process_is_known_to_the_supervisor():
    config = configparser.RawConfigParser(inline_comment_prefixes=(";", "#"))
    config.read_string(configs.supervisor(settings(), programs()))
    for name, _ in procfile.read():
        section = config[f"program:{name}"]
        assert section["autorestart"] == "true"
        assert section["killasgroup"] == "true"


def test_pools_are_declared_whole():
    declared = {p.name: p for p in programs(max_workers=5, max_priority_workers=3, workers=2)}
    assert declared["worker"].members == [f"worker_{n:02}" for n in range(5)]
    assert declared["worker"].started == 2
    assert declared["worker-priority"].members == [f"priority_{n:02}" for n in range(3)]
    assert declared["web"].members == ["web_00", "web_01"]
    assert declared["nginx"].members == ["nginx"]


def test_external_servers_are_not_embedded():
    started = programs(database_url="postgresql://elsewhere/x", redis_url="redis://elsewhere")
    assert not {p.name for p in started} & {"postgres", "redis"}


def test_patience_is_longer_than_each_process_takes_to_end():
    gunicorn = (ROOT / "webapp" / "gunicorn.py").read_text()
    graceful = int(re.search(r"graceful_timeout = (\d+)", gunicorn)[1])
    assert procfile.TRAITS["web"][1] > graceful
    for name in ("worker", "worker-priority"):
        seconds = re.search(rf"^{name}: .*--shutdown-timeout (\d+)", TEXT, re.MULTILINE)[1]
        assert procfile.TRAITS[name][1] > int(seconds)


def test_nginx_gets_every_name_filled_in():
    text = configs.nginx(settings(port=9999, web_instances=3))
    assert not re.search(r"\$\{[A-Z_]+\}", text)
    assert "listen 127.0.0.1:9999" in text
    assert text.count('server "unix:') == 3


def test_a_setting_cannot_smuggle_directives_into_nginx():
    with pytest.raises(configs.SettingError):
        configs.nginx(settings(trusted_proxies="10.0.0.1; return 200"))


def test_nginx_and_the_application_have_the_same_body_limits():
    text = configs.nginx(settings())
    assert f"client_max_body_size {body_limits.SMALL // 1024}k;" in text
    assert f"client_max_body_size {sheet_upload.BODY.size // 1024**2}m;" in text
    assert f"client_max_body_size {settings().max_body_size};" in text
    assert f"client_max_body_size {fields.MOST_JSON // 1024**2}m;" in text


def test_logs_are_rotated_as_the_settings_say():
    config = configparser.RawConfigParser(inline_comment_prefixes=(";", "#"))
    it = settings(log_max_size=1234, log_files=7)
    config.read_string(configs.supervisor(it, programs()))
    sections = [name for name in config if name.startswith("program:")]
    for name in sections:
        section = config[name]
        assert section["stdout_logfile_maxbytes"] == "1234"
        assert section["stdout_logfile_backups"] == "7"
    assert config["supervisord"]["logfile_maxbytes"] == "1234"
    assert config["supervisord"]["logfile_backups"] == "7"


def test_a_user_without_a_name_is_told_what_the_embedded_postgresql_needs(monkeypatch):
    monkeypatch.setattr("os.getuid", lambda: 54321)
    with pytest.raises(SettingError, match=r"the user 54321 has no name .* set DATABASE_URL"):
        configs.postgres_identities()
