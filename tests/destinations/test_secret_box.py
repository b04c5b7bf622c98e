"""The secret box decrypts only values that it encrypted, and only for the same row."""

from uuid import UUID

import pytest
from pydantic import SecretStr

from clay_push_service.destinations.secret_box import SecretBox, SecretError, generate_key, mask

ORG, ROW, OTHER = UUID(int=1), UUID(int=2), UUID(int=3)
URL = "https://api.clay.com/v3/sources/webhook/pull-in-data-from-a-webhook-0a1b2c3d-0000-4000-8000-00000000abcd"
OLD, NEW = SecretStr(generate_key()), SecretStr(generate_key())


@pytest.mark.parametrize("plain", [URL, "", "ü€😀", "x" * 10_000])
def test_a_sealed_value_is_opened(plain: str) -> None:
    box = SecretBox([OLD])
    sealed = box.seal(plain, ORG, ROW)
    assert box.open(sealed, ORG, ROW) == plain
    assert not plain or plain.encode() not in sealed


def test_sealing_a_value_twice_gives_different_texts() -> None:
    box = SecretBox([OLD])
    assert box.seal(URL, ORG, ROW) != box.seal(URL, ORG, ROW)


@pytest.mark.parametrize(("org", "row"), [(OTHER, ROW), (ORG, OTHER), (ROW, ORG)])
def test_a_value_that_is_moved_to_another_row_does_not_open(org: UUID, row: UUID) -> None:
    box = SecretBox([OLD])
    with pytest.raises(SecretError):
        box.open(box.seal(URL, ORG, ROW), org, row)


def test_an_altered_or_truncated_value_does_not_open() -> None:
    box = SecretBox([OLD])
    sealed = box.seal(URL, ORG, ROW)
    altered = [sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :] for at in range(len(sealed))]
    truncated = [sealed[:length] for length in range(len(sealed))]
    for value in (*altered, *truncated, sealed + b"x", b"", b"\x01", b"\xff" * 100):
        with pytest.raises(SecretError):
            box.open(value, ORG, ROW)


def test_the_first_key_encrypts_and_every_key_decrypts() -> None:
    sealed = SecretBox([OLD]).seal(URL, ORG, ROW)
    ring = SecretBox([NEW, OLD])
    assert ring.open(sealed, ORG, ROW) == URL
    assert ring.key_id_of(sealed) == OLD.get_secret_value().partition(":")[0]
    assert ring.key_id_of(ring.seal(URL, ORG, ROW)) == ring.first_key_id != ring.key_id_of(sealed)


def test_the_message_of_an_unknown_key_contains_only_its_id() -> None:
    sealed = SecretBox([OLD]).seal(URL, ORG, ROW)
    with pytest.raises(SecretError, match=OLD.get_secret_value().partition(":")[0]) as caught:
        SecretBox([NEW]).open(sealed, ORG, ROW)
    assert OLD.get_secret_value().partition(":")[2] not in str(caught.value)


def test_another_key_of_the_same_id_does_not_open() -> None:
    impostor = SecretStr(f"{OLD.get_secret_value().partition(':')[0]}:{NEW.get_secret_value().partition(':')[2]}")
    with pytest.raises(SecretError):
        SecretBox([impostor]).open(SecretBox([OLD]).seal(URL, ORG, ROW), ORG, ROW)


@pytest.mark.parametrize(
    "ring",
    [
        [],
        ["nocolon"],
        ["a:short"],
        ["a:" + "A" * 43],
        ["a:" + "A" * 42 + "=!"],
        [":" + "A" * 43 + "="],
        ["a b:" + "A" * 43 + "="],
        ["a" * 33 + ":" + "A" * 43 + "="],
        ["a:" + "A" * 43 + "=", "a:" + "B" * 42 + "A="],
    ],
)
def test_an_invalid_key_ring_is_refused_without_revealing_its_keys(ring: list[str]) -> None:
    with pytest.raises(SecretError) as caught:
        SecretBox([SecretStr(entry) for entry in ring])
    assert "AAAA" not in str(caught.value)


def test_a_repr_contains_no_secret() -> None:
    key = NEW.get_secret_value().partition(":")[2]
    assert key not in repr(SecretBox([NEW])) + str(SecretBox([NEW]))


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (URL, "https://api.clay.com/v3/…/••••abcd"),
        (URL + "?key=secretsecretsecret", "https://api.clay.com/v3/…/••••abcd"),
        ("https://api.clay.com/secretsecretsecret/short", "https://api.clay.com/…/••••"),
        ("https://user:secret@api.clay.com/x", "https://api.clay.com/…/••••"),
        ("http://localhost:8081/v3/hooks/x", "http://localhost:8081/v3/…/••••"),
        ("http://[::1]:8081/", "http://[::1]:8081/…/••••"),
        ("secretsecretsecretsecret", "••••"),
        ("https://[broken/secretsecretsecret", "••••"),
        ("https://clay.com:port/secretsecretsecret", "••••"),
        ("", "••••"),
    ],
)
def test_a_mask_identifies_a_secret_without_revealing_it(url: str, shown: str) -> None:
    assert mask(url) == shown
    assert "secret" not in mask(url)
