"""Mistakes in settings: each is named with its file and line, and hides nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from models.errors import SettingError
from models.settings import Settings
from models.settings.settings import own_address
from models.settings.sources import Sources
from models.settings.urls import server_of

SECRET = "hunter2"


def load(home: Path, text: str = "", **environ: str) -> Settings:
    (home / "sluice.env").write_text(text)
    return Settings.load({"SLUICE_HOME": str(home), **environ})


def warnings(home: Path, text: str = "", **environ: str) -> list[str]:
    (home / "sluice.env").write_text(text)
    return Sources.read({"SLUICE_HOME": str(home), **environ}).warnings()


def test_an_invalid_value_is_named_with_its_file_and_line(tmp_path: Path) -> None:
    with pytest.raises(SettingError) as caught:
        load(tmp_path, "# mine\n\nPORT=http\n")
    place = f"{tmp_path}/sluice.env:3"
    assert caught.value.detail == f"PORT is 'http'; it must be a number ({place})"


def test_values_that_contradict_each_other_are_named_with_both_lines(tmp_path: Path) -> None:
    with pytest.raises(SettingError) as caught:
        load(tmp_path, "REVIEW_AT=0.9\nPORT=1\nREJECT_AT=0.5\n")
    first, second = (f"{tmp_path}/sluice.env:{line}" for line in (1, 3))
    assert caught.value.detail.endswith(f"({first}, {second})")


def test_a_value_of_the_environment_has_no_place(tmp_path: Path) -> None:
    with pytest.raises(SettingError) as caught:
        load(tmp_path, "PORT=1\n", PORT="x")
    assert caught.value.detail == "PORT is 'x'; it must be a number"


def test_a_value_in_a_file_of_its_own_is_named_with_that_file(tmp_path: Path) -> None:
    value = tmp_path / "port"
    value.write_text("x\n")
    with pytest.raises(SettingError, match=rf"\({value}\)"):
        load(tmp_path, PORT_FILE=str(value))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\xff\xfeP\x00", "sluice.env is not UTF-8 text"),
        (b"PORT=1\x000\n", "sluice.env:1: the line is not NAME=value"),
        (b"=9000\n", "sluice.env:1: the line is not NAME=value"),
        (b"postgresql://u:hunter2@h/db\n", "sluice.env:1: the line is not NAME=value"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "sluice.env").write_bytes(content)
    with pytest.raises(SettingError) as caught:
        Settings.load({"SLUICE_HOME": str(tmp_path)})
    assert caught.value.detail == f"{tmp_path}/{words}"


def test_a_folder_in_the_place_of_the_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "sluice.env").mkdir()
    with pytest.raises(SettingError, match=r"sluice.env cannot be read: Is a directory"):
        Settings.load({"SLUICE_HOME": str(tmp_path)})


def test_a_byte_order_mark_and_windows_lines_are_read(tmp_path: Path) -> None:
    (tmp_path / "sluice.env").write_bytes(b"\xef\xbb\xbfPORT=9000\r\nWORKERS=3\r\n")
    settings = Settings.load({"SLUICE_HOME": str(tmp_path)})
    assert (settings.port, settings.workers) == (9000, 3)


def test_valid_settings_stay_in_force_beside_invalid_ones(tmp_path: Path) -> None:
    text = "PORT=9000\nWORKERS=many\nnonsense\nREVIEW_AT=0.9\nMAX_FRAMES=-1\nUNDO_SECONDS=7\n"
    (tmp_path / "sluice.env").write_text(text)
    settings, errors = Settings.load_valid({"SLUICE_HOME": str(tmp_path)})
    assert (settings.port, settings.undo_seconds) == (9000, 7)
    assert (settings.workers, settings.review_at) == (Settings().workers, Settings().review_at)
    lines = [re.search(r"sluice\.env:(\d)", error)[1] for error in errors]
    assert sorted(lines) == ["2", "3", "4", "5"]


def test_without_a_mistake_there_is_no_sentence(tmp_path: Path) -> None:
    (tmp_path / "sluice.env").write_text("PORT=9000\nLC_ALL=C.UTF-8\nAWS_ACCESS_KEY_ID=x\n")
    environ = {"SLUICE_HOME": str(tmp_path), "PATH": "/bin", "HOSTNAME": "a", "SHLVL": "1"}
    assert Settings.load_valid(environ)[1] == []
    assert Sources.read(environ).warnings() == []


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("WORKRES=4", "WORKERS"),
        ("port=9000", "PORT"),
        ("SLUICE_PORT=9000", "PORT"),
        ("export PORT=9000", "PORT"),
        ("ALERT_QUEU_DEPTH=3", "ALERT_QUEUE_DEPTH"),
        ("RETENTION-DAYS=3", "RETENTION_DAYS"),
        ("REDIS_URI=redis://h", "REDIS_URL"),
        ("DATABASE_URL_FIL=/x", "DATABASE_URL_FILE"),
    ],
)
def test_a_mistyped_name_is_named_with_the_nearest_one(
    tmp_path: Path, line: str, meant: str
) -> None:
    name = line.partition("=")[0]
    place = f"{tmp_path}/sluice.env:1"
    assert warnings(tmp_path, line + "\n") == [
        f"{place}: {name} is not a setting: did you mean {meant}?"
    ]


def test_a_name_like_no_setting_leads_to_the_list(tmp_path: Path) -> None:
    [warning] = warnings(tmp_path, "QQQ=1\n")
    assert warning.endswith("QQQ is not a setting: docs/settings.md lists all settings")


def test_a_mistyped_variable_of_the_environment_is_named(tmp_path: Path) -> None:
    assert warnings(tmp_path, WORKRES="4") == [
        "WORKRES in the environment is not a setting: did you mean WORKERS?"
    ]


def test_names_of_other_programs_in_the_environment_are_not_named(tmp_path: Path) -> None:
    others = "HOME USER HOSTNAME PATH PWD SHELL TERM EDITOR LOGNAME DISPLAY PYTHONPATH OLDPWD CI"
    others += " DATABASE_NAME REDIS_PORT POSTGRES_PASSWORD WEB_ROOT LANGUAGE XDG_RUNTIME_DIR"
    assert warnings(tmp_path, **dict.fromkeys(others.split(" "), "x")) == []


def test_a_name_that_counts_only_in_the_environment_is_named(tmp_path: Path) -> None:
    [warning] = warnings(tmp_path, "SLUICE_USER=me\n")
    assert warning.endswith("SLUICE_USER has no effect here: set it in the environment")


def test_a_name_that_is_set_twice_is_named(tmp_path: Path) -> None:
    [warning] = warnings(tmp_path, "PORT=1\nWORKERS=2\nPORT=3\n")
    assert warning == (f"{tmp_path}/sluice.env:3: PORT is also set in line 1; the last line counts")


@pytest.mark.parametrize(
    ("name", "url", "words"),
    [
        ("DATABASE_URL", "mysql://u:hunter2@h/db", "DATABASE_URL must begin with one of postgres"),
        ("DATABASE_URL", "hunter2", "DATABASE_URL must begin with one of postgresql://"),
        ("DATABASE_URL", "postgresql://u:hunter2@h:x/db", "DATABASE_URL has an invalid port"),
        ("DATABASE_URL", "postgresql://u:hunter2/3@h/db", "DATABASE_URL has an invalid port"),
        ("DATABASE_URL", "postgresql://u:hunter2#@h/db", "DATABASE_URL contains #"),
        ("DATABASE_URL", "postgresql://u:hunter2%@h/db", "DATABASE_URL has a % without"),
        ("DATABASE_URL", "postgresql://u:hunter2@[h/db", "DATABASE_URL is not a URL"),
        ("DATABASE_REPLICA_URL", "mysql://hunter2@h/db", "DATABASE_REPLICA_URL must begin"),
        ("REDIS_URL", "http://:hunter2@h:6379", "REDIS_URL must begin with one of redis://"),
        ("REDIS_URL", "redis://:hunter2@h:port", "REDIS_URL has an invalid port"),
        ("REDIS_URL", "redis://:hunter2@h:6379/queue", "REDIS_URL's path must be the number"),
        ("REDIS_URL", "redis://:hunter2#@h:6379", "REDIS_URL contains #"),
        ("PUBLIC_URL", "moderation.example.org", "PUBLIC_URL must be a URL such as https://"),
        ("PUBLIC_URL", "https://", "PUBLIC_URL must be a URL such as https://"),
        ("HOST", "0.0.0.0:80", "HOST is '0.0.0.0:80'; it must be an address without a port"),
        ("SYNC_TIMEOUT", "nan", "SYNC_TIMEOUT is 'nan'; it must be a finite number"),
        ("SYNC_TIMEOUT", "inf", "SYNC_TIMEOUT is 'inf'; it must be a finite number"),
        (
            "MODERATION_IMAGE_SERVICE_URL",
            "ftp://u:hunter2@h/detect",
            "MODERATION_IMAGE_SERVICE_URL contains 'ftp://h/detect'",
        ),
    ],
)
def test_a_wrong_address_is_named_without_its_password(
    tmp_path: Path, name: str, url: str, words: str
) -> None:
    with pytest.raises(SettingError) as caught:
        load(tmp_path, f"{name}={url}\n")
    assert caught.value.detail.startswith(words)
    assert SECRET not in caught.value.detail


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("redis://:hunter2@10.0.0.1:6379/0", "10.0.0.1:6379"),
        ("unix:///run/redis.sock?db=1", "/run/redis.sock"),
        ("redis+sentinel://u:hunter2@a:1,b:2/main", "a:1,b:2"),
        ("postgresql://u:hunter2@db.example/sluice", "db.example"),
        ("postgresql://u@/sluice?host=/run/pg", "/run/pg"),
        ("postgresql:///sluice", "its socket"),
    ],
)
def test_a_server_is_named_without_its_login(url: str, server: str) -> None:
    assert server_of(url) == server


def test_links_of_a_server_on_all_addresses_have_its_own_address() -> None:
    own = own_address("0.0.0.0")
    assert Settings(host="0.0.0.0", port=80).url == f"http://{own}:80"
    assert Settings(host="10.1.2.3").url == "http://10.1.2.3:8080"
    assert Settings(host="0.0.0.0", public_url="https://m.example/").url == "https://m.example"
    assert Settings(host="0.0.0.0").local_host == "127.0.0.1"


def test_links_of_a_server_on_loopback_stay_there() -> None:
    assert Settings().url == "http://127.0.0.1:8080"
