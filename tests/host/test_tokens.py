"""Access tokens that must be refused, and those that must be accepted."""

import json
import time

import jwt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clay_push_service.errors import UnauthorizedError
from clay_push_service.host.tokens import username_of
from tests.host.token_examples import GOOD, NOW, SECRET, raw_exp, signed, with_claims, without


def test_an_access_token_names_its_user() -> None:
    assert (
        username_of(
            jwt.encode({**GOOD, "exp": int(time.time()) + 60}, SECRET.ljust(32, "x")),
            SECRET.ljust(32, "x"),
            now=time.time(),
        )
        == "johndoe"
    )
    assert username_of(with_claims(), SECRET, now=NOW) == "johndoe"
    assert username_of(with_claims(sub="用户 É"), SECRET, now=NOW) == "用户 É"
    assert username_of(with_claims(exp=NOW + 0.5), SECRET, now=NOW) == "johndoe"


ATTACKS = {
    "empty": "",
    "not a token": "x",
    "three dots": "...",
    "not base64": "!!!.???.***",
    "not ascii": "é.ü.ß",
    "lone surrogate": "\ud800.a.b",
    "long": "a" * 100_000,
    "claims not json": signed("{"),
    "claims a list": signed("[]"),
    "claims a string": signed('"access"'),
    "claims null": signed("null"),
    "claims deeply nested": signed("[" * 3000),
    "refresh token": with_claims(type="refresh"),
    "no type": without("type"),
    "type a list": with_claims(type=["access"]),
    "alg none": signed(json.dumps(GOOD), '{"alg":"none"}'),
    "alg none, unsigned": signed(json.dumps(GOOD), '{"alg":"none"}').rpartition(".")[0] + ".",
    "alg None": signed(json.dumps(GOOD), '{"alg":"None"}'),
    "alg HS384": jwt.encode(GOOD, SECRET.ljust(64, "x"), algorithm="HS384"),
    "alg HS512": jwt.encode(GOOD, SECRET.ljust(64, "x"), algorithm="HS512"),
    "alg RS256 over the secret": signed(json.dumps(GOOD), '{"alg":"RS256"}'),
    "alg a number": signed(json.dumps(GOOD), '{"alg":1}'),
    "no alg": signed(json.dumps(GOOD), "{}"),
    "critical header": signed(json.dumps(GOOD), '{"alg":"HS256","crit":["b64"],"b64":false}'),
    "another secret": signed(json.dumps(GOOD), secret="another-secret-than-ours"),
    "signature cut off": with_claims().rpartition(".")[0] + ".",
    "signature of other claims": ".".join([*with_claims(sub="admin").split(".")[:2], with_claims().split(".")[2]]),
    "expired": with_claims(exp=NOW - 1),
    "expiring now": with_claims(exp=NOW),
    "no exp": without("exp"),
    "exp null": with_claims(exp=None),
    "exp a string": with_claims(exp=str(NOW + 900)),
    "exp true": with_claims(exp=True),
    "exp a list": with_claims(exp=[NOW + 900]),
    "exp of 400 digits": raw_exp("9" * 400),
    "exp of 5000 digits": raw_exp("9" * 5000),
    "exp infinite": raw_exp("Infinity"),
    "exp overflowing": raw_exp("1e999"),
    "exp not a number": raw_exp("NaN"),
    "exp negative": raw_exp("-1"),
    "exp zero": raw_exp("0"),
    "exp in the year 10000": raw_exp("253402300800"),
    "not valid yet": with_claims(nbf=NOW + 1),
    "nbf a string": with_claims(nbf="0"),
    "for another audience": with_claims(aud="elsewhere"),
    "no sub": without("sub"),
    "sub empty": with_claims(sub=""),
    "sub blank": with_claims(sub="  "),
    "sub null": with_claims(sub=None),
    "sub a number": with_claims(sub=1),
    "sub a list": with_claims(sub=["johndoe"]),
    "sub with NUL": with_claims(sub="john\0doe"),
    "sub a lone surrogate": with_claims(sub="\ud800"),
    "sub very long": with_claims(sub="a" * 256),
}


@pytest.mark.parametrize("token", ATTACKS.values(), ids=ATTACKS.keys())
def test_an_attacking_token_is_unauthorized(token: str) -> None:
    with pytest.raises(UnauthorizedError) as refused:
        username_of(token, SECRET, now=NOW)
    assert refused.value.status == 401
    assert "johndoe" not in refused.value.detail


def test_with_an_empty_secret_no_token_is_accepted() -> None:
    with pytest.raises(UnauthorizedError):
        username_of(signed(json.dumps(GOOD), secret=""), "", now=NOW)


@given(st.text(), st.text(), st.text())
@settings(max_examples=200, deadline=None)
def test_arbitrary_text_is_unauthorized(header: str, claims: str, signature: str) -> None:
    for token in (f"{header}.{claims}.{signature}", header + claims):
        with pytest.raises(UnauthorizedError):
            username_of(token, SECRET, now=NOW)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists))
@settings(max_examples=200, deadline=None)
def test_a_signed_token_with_an_invalid_claim_is_unauthorized(value: object) -> None:
    for claim in ("exp", "type"):
        if claim == "exp" and isinstance(value, int | float) and not isinstance(value, bool) and value > NOW:
            continue
        with pytest.raises(UnauthorizedError):
            username_of(with_claims(**{claim: value if value != "access" else None}), SECRET, now=NOW)
