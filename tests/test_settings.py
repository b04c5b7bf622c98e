"""The settings of the environment: accepted values, and their documentation."""

import re
import string
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import pytest

from clay_push_service.settings import PREFIX, UNPREFIXED, Settings, SettingsError, load

REPOSITORY = Path(__file__).parents[1]
URL = "postgresql://nobody@127.0.0.1/nowhere"


@pytest.fixture
def empty(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """An environment with only DATABASE_URL, and no .env."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(PREFIX + "DATABASE_URL", URL)
    return monkeypatch


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(
            ("ALLOWED_WEBHOOK_HOSTS", each)
            for each in ("https://clay.com", "*", "*.", "clay.com/", "clay.com:99999", "a:0", ",")
        ),
        *(("RETRY_DELAYS_SECONDS", each) for each in (",", "nan", "-5", "1,inf", "soon")),
        *(("SHUTDOWN_GRACE_SECONDS", each) for each in ("21", "0", "inf")),
        ("LEASE_SECONDS", "60"),
        ("ENCRYPTION_KEYS", "k1:short"),
        ("ALLOWED_WEBHOOK_NETWORKS", "10.0.0.1/8"),
        *(("CA_FILE", each) for each in ("/nowhere/ca.pem", "/", __file__)),
    ],
)
def test_a_dangerous_value_is_refused_by_name(empty: pytest.MonkeyPatch, name: str, value: str) -> None:
    empty.setenv(PREFIX + name, value)
    with pytest.raises(SettingsError, match=f"  {PREFIX}{name}: "):
        load()


PUBLISHED = (
    "dev-secret-key-change-in-production", "your-secret-key-change-this-in-production", "your-secret-key-here",
    "your-secret-key-here-generate-with-openssl-rand-hex-32", "your-secret-key-change-in-production", "changeme",
)  # fmt: skip


@pytest.mark.parametrize("write", [str, str.upper, str.title, " {} ".format, '"{}"'.format, "{}\n".format],
                         ids=["as it is", "upper", "title", "spaces", "quotes", "newline"])  # fmt: skip
@pytest.mark.parametrize("secret", [*PUBLISHED, "your_secret_key_change_this_in_production"])
def test_published_secret_of_the_host_is_refused(
    empty: pytest.MonkeyPatch, secret: str, write: Callable[[str], str]
) -> None:
    empty.setenv(PREFIX + "JWT_SECRET", write(secret))
    with pytest.raises(SettingsError, match=f"  {PREFIX}JWT_SECRET: is a published default") as caught:
        load()
    assert secret.casefold() not in str(caught.value).casefold()


@pytest.mark.parametrize(
    ("secret", "reason"),
    [
        (string.ascii_letters[:31], "shorter than 32 bytes"),
        (string.ascii_letters[:31] + " ", "shorter than 32 bytes"),
        ("abcdefghijk" * 6, "fewer than 12 different characters"),
        ("a" * 64, "fewer than 12 different characters"),
        (" " * 30 + "abcdefghijklm", "shorter than 32 bytes"),
    ],
)
def test_a_guessable_secret_is_refused(empty: pytest.MonkeyPatch, secret: str, reason: str) -> None:
    empty.setenv(PREFIX + "JWT_SECRET", secret)
    with pytest.raises(SettingsError, match=f"  {PREFIX}JWT_SECRET: .*{reason}"):
        load()


@pytest.mark.parametrize("secret", [string.ascii_letters[:32], "é" * 6 + "abcdefghijklmnopqrst", "0123456789ab" * 3])
def test_a_secret_of_32_bytes_and_12_different_characters_is_accepted(empty: pytest.MonkeyPatch, secret: str) -> None:
    empty.setenv(PREFIX + "JWT_SECRET", secret)
    found = load().jwt_secret
    assert found is not None
    assert found.get_secret_value() == secret


@pytest.mark.parametrize("key", [bytes(32), b"password" * 4])
def test_a_placeholder_encryption_key_is_refused(empty: pytest.MonkeyPatch, key: bytes) -> None:
    empty.setenv(PREFIX + "ENCRYPTION_KEYS", f"k1:{b64encode(key).decode()}")
    with pytest.raises(SettingsError, match=f"  {PREFIX}ENCRYPTION_KEYS: .*is not random"):
        load()


@pytest.mark.parametrize("value", ["clay.com", "*.clay.com,clay.com", "127.0.0.1:8090", "[::1]:8090", "Clay.com:443"])
def test_valid_host_rules_are_accepted(empty: pytest.MonkeyPatch, value: str) -> None:
    empty.setenv(PREFIX + "ALLOWED_WEBHOOK_HOSTS", value)
    assert load().allowed_webhook_hosts == tuple(value.split(","))


@pytest.mark.parametrize("name", sorted(Settings.model_fields.keys() - {"database_url", *UNPREFIXED}))
def test_an_empty_variable_counts_as_unset(empty: pytest.MonkeyPatch, name: str) -> None:
    """Docker compose passes an unset variable as `CLAY_PUSH_METRICS_PORT=`."""
    empty.setenv(PREFIX + name.upper(), "")
    assert load() == Settings(database_url=URL, _env_file=None)


def test_the_api_key_has_the_name_of_the_enrichment_guide(empty: pytest.MonkeyPatch) -> None:
    empty.setenv("CLAY_API_KEY", "")
    assert load().clay_api_key is None
    empty.setenv("CLAY_API_KEY", "key_0123456789")
    found = load().clay_api_key
    assert found is not None
    assert found.get_secret_value() == "key_0123456789"
    empty.setenv(PREFIX + "CLAY_API_KEY", "key_0123456789")
    with pytest.raises(SettingsError, match="CLAY_PUSH_CLAY_API_KEY: unknown setting; did you mean CLAY_API_KEY"):
        load()


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("'key_0123456789'", "has spaces or quotes around it. Ensure there are no extra spaces or quotes."),
        (" key_0123456789", "has spaces or quotes around it. Ensure there are no extra spaces or quotes."),
        ("CLAY_API_KEY=key_0123456789", "begins with a name"),
        ("key_0123 456789", "has spaces inside"),
        ("x" * 513, "is longer than 512 characters"),
    ],
)
def test_an_api_key_with_surrounding_characters_is_refused(empty: pytest.MonkeyPatch, key: str, reason: str) -> None:
    empty.setenv("CLAY_API_KEY", key)
    with pytest.raises(SettingsError) as caught:
        load()
    assert f"  CLAY_API_KEY: {reason}" in str(caught.value)
    assert "0123456789" not in str(caught.value)
    assert "xxx" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "api.clay.com",
        "ftp://api.clay.com",
        "https://",
        "https://a@api.clay.com",
        "https://api.clay.com/?v=0",
        "https://[/",
    ],
)
def test_an_invalid_address_of_the_api_is_refused(empty: pytest.MonkeyPatch, url: str) -> None:
    empty.setenv(PREFIX + "CLAY_API_URL", url)
    with pytest.raises(SettingsError, match=f"  {PREFIX}CLAY_API_URL: is not an address"):
        load()


def test_a_slash_at_the_end_of_the_address_of_the_api_is_removed(empty: pytest.MonkeyPatch) -> None:
    assert load().clay_api_url == "https://api.clay.com/public/v0"
    empty.setenv(PREFIX + "CLAY_API_URL", "http://127.0.0.1:9/public/v0/")
    assert load().clay_api_url == "http://127.0.0.1:9/public/v0"


def test_each_setting_is_described_in_the_code() -> None:
    source = (REPOSITORY / "src/clay_push_service/settings.py").read_text()
    for name in Settings.model_fields:
        assert re.search(rf'^    {name}: .*\n    """', source, re.MULTILINE), f"{name} has no docstring"


def test_documents_name_only_settings_that_exist() -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    for path in (
        *REPOSITORY.glob("*.md"),
        *REPOSITORY.glob("docs/*.md"),
        REPOSITORY / "Dockerfile",
        REPOSITORY / ".env.example",
        REPOSITORY / "ops/alerts.yml",
    ):
        report = set(re.findall(rf"\b{PREFIX}[A-Z][A-Z_]+", path.read_text()))
        assert report <= known, path.name
