"""One function parses the database URL as libpq does. It refuses parameters that only one driver supports, and names them."""

import contextlib
from pathlib import Path
from urllib.parse import quote

import pytest

from clay_push_service.database_url import DEFAULT_HOSTS, DatabaseUrlError, parse
from clay_push_service.settings import SettingsError, load
from tests.support.special_names import DATABASES, PASSWORDS, ROLES

SECRET = "hunter2-in-clear"


def encoded(text: str) -> str:
    return quote(text, safe="")


@pytest.mark.parametrize("password", PASSWORDS)
def test_every_password_is_parsed(password: str) -> None:
    for url in (
        f"postgresql://u:{encoded(password)}@h:5433/d",
        f"postgres://u@h:5433/d?password={encoded(password)}",
    ):
        read = parse(url)
        assert (read.role, read.password, read.database, read.hosts) == ("u", password, "d", (("h", 5433),))
        assert password not in repr(read) or len(password) == 1


@pytest.mark.parametrize("role", ROLES)
def test_every_role_is_parsed(role: str) -> None:
    assert parse(f"postgresql://{encoded(role)}:p@h/d").role == role
    assert parse(f"postgresql://h/d?user={encoded(role)}").role == role


@pytest.mark.parametrize("database", DATABASES)
def test_every_database_name_is_parsed(database: str) -> None:
    assert parse(f"postgresql://u:p@h/{encoded(database)}").database == database
    assert parse(f"postgresql://u:p@h?dbname={encoded(database)}").database == database


@pytest.mark.parametrize(
    ("url", "password"),
    [
        ("postgresql://u:p/w@h/d", "p/w"),
        ("postgresql://u:p#w?x&y@h/d", "p#w?x&y"),
        ("postgresql://u:100%@h/d", "100%"),
        ("postgresql://u:a:b@h/d", "a:b"),
        ("postgresql://u:a+b@h/d", "a+b"),
        ("postgresql://u:@h/d", None),
        ("postgresql://u@h/d", None),
    ],
)
def test_an_unescaped_password_is_accepted_if_it_is_unambiguous(url: str, password: str | None) -> None:
    read = parse(url)
    assert (read.password, read.hosts, read.database) == (password, (("h", 5432),), "d")


@pytest.mark.parametrize(
    ("url", "hosts"),
    [
        ("postgresql://u@h/d", (("h", 5432),)),
        ("postgresql://u@h:/d", (("h", 5432),)),
        ("postgresql://u@[::1]:5433/d", (("::1", 5433),)),
        ("postgresql://u@[fe80::1%25eth0]/d", (("fe80::1%eth0", 5432),)),
        ("postgresql://u@a:1,b,c:3/d", (("a", 1), ("b", 5432), ("c", 3))),
        ("postgresql://u@a,b/d?port=6432", (("a", 6432), ("b", 6432))),
        ("postgresql://u@h:6432/d?host=a", (("a", 6432),)),
        ("postgresql:///d?host=a,b&port=1,2", (("a", 1), ("b", 2))),
        ("postgresql://u@%2Fvar%2Frun%2Fpg:5433/d", (("/var/run/pg", 5433),)),
        ("postgresql:///d?host=/var/run/pg&port=5433", (("/var/run/pg", 5433),)),
        ("postgresql:///d?port=5433", tuple((host, 5433) for host in DEFAULT_HOSTS)),
        ("postgresql://", tuple((host, 5432) for host in DEFAULT_HOSTS)),
    ],
)
def test_hosts_are_parsed(url: str, hosts: tuple[tuple[str, int], ...]) -> None:
    assert parse(url).hosts == hosts


def test_missing_parts_have_the_defaults_of_libpq() -> None:
    read = parse("postgresql://reader@")
    assert (read.role, read.password, read.database) == ("reader", None, "reader")


def test_parameters_are_parsed() -> None:
    read = parse(
        "postgresql://u@h/d?sslmode=verify-full&sslrootcert=%2Fetc%2Fca.pem&connect_timeout=7&application_name=crm%20push"
        "&target_session_attrs=read-write&keepalives=0&keepalives_idle=30&tcp_user_timeout=5000&gssencmode=disable"
        "&options=-c%20work_mem%3D8MB%20--geqo=off"
    )
    assert read.tls == {"sslmode": "verify-full", "sslrootcert": "/etc/ca.pem"}
    assert (read.connect_timeout_seconds, read.application_name) == (7, "crm push")
    assert (read.target_session_attrs, read.keepalives, read.keepalives_idle_seconds) == ("read-write", False, 30)
    assert read.tcp_user_timeout_ms == 5000
    assert read.settings == {"work_mem": "8MB", "geqo": "off"}


@pytest.mark.parametrize(
    ("ssl", "mode"), [("true", "require"), ("false", "disable"), ("require", "require"), ("verify-ca", "verify-ca")]
)
def test_ssl_is_an_alias_of_sslmode(ssl: str, mode: str) -> None:
    assert parse(f"postgresql://u@h/d?ssl={ssl}").tls == {"sslmode": mode}


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("sslmod=require", "parameter sslmod: is not supported; did you mean sslmode?"),
        ("sslmode=verify_full", "parameter sslmode: must be disable, allow, prefer, require, verify-ca or verify-full"),
        ("ssl=on", "parameter ssl: must be"),
        ("sslrootcert=system", "parameter sslrootcert: must name a file"),
        ("connect_timeout=0", "parameter connect_timeout: must be a whole number from 1 to 60"),
        ("connect_timeout=soon", "parameter connect_timeout"),
        ("target_session_attrs=read-only", "parameter target_session_attrs: must be any, read-write or primary"),
        ("channel_binding=require", "parameter channel_binding: must be disable or prefer"),
        ("client_encoding=latin1", "parameter client_encoding"),
        ("hostaddr=10.0.0.1", "parameter hostaddr: is not supported"),
        ("service=prod", "parameter service: is not supported"),
        ("pool_size=5", "parameter pool_size: is not supported"),
        ("options=-csearch_path%3Dpublic", "parameter options: search_path is set by the service itself"),
        ("options=-c%20Statement-Timeout%3D1", "parameter options: statement_timeout is set by the service itself"),
        ("options=endpoint%3Dx", "parameter options: write -c name=value"),
        ("port=1,2", "parameter port"),
        ("sslmode", "parameter sslmode: has no value"),
    ],
)
def test_unsupported_parameters_are_refused_by_name(query: str, named: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(None, database_url=f"postgresql://u:{SECRET}@h/d?{query}")
    assert f"CLAY_PUSH_DATABASE_URL: {named}" in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://u:1/{SECRET}@h/d",
        f"postgresql://u:a@{SECRET}@h/d",
        f"postgresql://u:p@h/d@{SECRET}",
        f"postgresql://u:{SECRET}@h:port/d",
        f"postgresql://u:{SECRET}@h:99999/d",
        f"postgresql://u:{SECRET}@[::1/d",
        f"postgresql://u:{SECRET}%00@h/d",
        f"postgresql://u:{SECRET}%ff@h/d",
        f"postgresql://u:p@h/d?{SECRET}=1",
        f"mysql://u:{SECRET}@h/d",
    ],
)
def test_an_invalid_url_is_refused_and_no_part_of_it_is_shown(url: str) -> None:
    with pytest.raises(DatabaseUrlError) as caught:
        parse(url)
    assert SECRET not in str(caught.value)


def test_the_message_for_an_unreadable_file_names_its_parameter(tmp_path: Path) -> None:
    there = tmp_path / "root.crt"
    there.write_text("")
    load(None, database_url=f"postgresql://u@h/d?sslrootcert={there}")
    with pytest.raises(SettingsError, match="parameter sslkey: names a file that does not exist"):
        load(None, admin_database_url=f"postgresql://u@h/d?sslkey={tmp_path}/no.key", database_url="postgresql://u@h/d")


def test_arbitrary_text_is_parsed_or_refused() -> None:
    for special in "@/?#[]%:,&=+ \\'\"\u00e9\u2603\t\n":
        for place in ("{0}", "u{0}v@h/d", "u:p{0}q@h/d", "u:p@h{0}i/d", "u:p@h/d{0}e", "u:p@h/d?a{0}b=c"):
            with contextlib.suppress(DatabaseUrlError):
                parse("postgresql://" + place.format(special))
