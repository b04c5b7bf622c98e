"""Messages for refused access tokens, and the limits of accepted values."""

import pytest

from clay_push_service.errors import UnauthorizedError
from clay_push_service.host.tokens import MAX_TOKEN_CHARACTERS, username_of
from tests.host.token_examples import NOW, SECRET, raw_exp, with_claims, without

LAST_SECOND = 253_402_300_799


def refusal_of(token: str, now: float = NOW) -> str:
    with pytest.raises(UnauthorizedError) as refused:
        username_of(token, SECRET, now=now)
    assert refused.value.code == "invalid_token"
    assert refused.value.headers == {"WWW-Authenticate": "Bearer"}
    return refused.value.detail


@pytest.mark.parametrize(
    ("token", "detail"),
    [
        ("x", "The access token is not valid."),
        ("a" * (MAX_TOKEN_CHARACTERS + 1), "The access token is not valid."),
        (with_claims(type="refresh"), "This is not an access token."),
        (with_claims(aud="elsewhere"), "This is not an access token."),
        (with_claims(exp=True), "The access token is not valid."),
        (with_claims(exp="1"), "The access token is not valid."),
        (without("exp"), "The access token is not valid."),
        (raw_exp("0"), "The access token is not valid."),
        (raw_exp("0.0"), "The access token is not valid."),
        (raw_exp(str(LAST_SECOND + 1)), "The access token is not valid."),
        (with_claims(nbf="0"), "The access token is not valid."),
        (with_claims(nbf=True), "The access token is not valid."),
        (with_claims(exp=NOW), "The access token has expired. Sign in again."),
        (with_claims(nbf=NOW + 1), "The access token is not valid yet."),
        (without("sub"), "The access token names no user."),
        (with_claims(sub="john\0doe"), "The access token names no user."),
        (with_claims(sub="a" * 256), "The access token names no user."),
    ],
)
def test_the_message_of_a_refused_token_names_the_reason(token: str, detail: str) -> None:
    assert refusal_of(token) == detail


@pytest.mark.parametrize(
    "token",
    [
        with_claims(exp=LAST_SECOND),
        raw_exp(f"{LAST_SECOND}.0"),
        with_claims(nbf=NOW),
        with_claims(nbf=NOW - 1),
        with_claims(nbf=0.5),
        with_claims(exp=NOW + 1),
    ],
)
def test_tokens_at_the_limits_of_the_ranges_are_accepted(token: str) -> None:
    assert username_of(token, SECRET, now=NOW) == "johndoe"


def test_a_user_name_of_255_characters_is_accepted() -> None:
    assert username_of(with_claims(sub="a" * 255), SECRET, now=NOW) == "a" * 255


@pytest.mark.parametrize("exp", ["0.5", "1"])
def test_an_expiry_in_1970_has_passed(exp: str) -> None:
    assert refusal_of(raw_exp(exp)) == "The access token has expired. Sign in again."


def test_a_token_of_the_maximum_length_is_accepted_and_a_longer_one_is_refused() -> None:
    for pad in range(5900, 6100):
        token = with_claims(pad="x" * pad)
        if len(token) == MAX_TOKEN_CHARACTERS:
            assert username_of(token, SECRET, now=NOW) == "johndoe"
            break
    else:
        pytest.fail("no padding makes a token of the maximum length")
    assert refusal_of(with_claims(pad="x" * (pad + 8))) == "The access token is not valid."
