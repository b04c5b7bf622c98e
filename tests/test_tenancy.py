"""Calls every route of the API document with ids of another organization, and as foreign users, members, keys and tokens.

Each must give 401, 403 or 404 (400 without a valid organization), show no data of the other organization and change no row.
"""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from uuid import uuid4

import jwt
import pytest

from clay_push_service.callers.caller import Scope
from clay_push_service.host.columns import Vintage
from tests.harness.api import Api, run_api
from tests.harness.enrichment_routes import ENRICHMENT
from tests.harness.routes import CHANGES_OF_RESULTS, EVENT_STREAMS, Ids, Route, furnish, routes
from tests.harness.settings import JWT_SECRET, access_token

METHODS = {"get", "put", "post", "delete", "patch", "head", "options"}
TABLES = (
    "destinations", "workspaces", "destination_versions", "push_jobs", "clay_push_log", "audit_log", "erasures", "auto_export_rules",
    "auto_export_runs", "exclusions", "segments", "routes", "host_writes", "write_back", "idempotency_keys", "pending_webhooks",
    "enrichment_settings", "enrichment_routines", "pending_api_keys", "results_endpoints", "results_tokens", "inbound_results",
    "enriched_values", "enriched_current", "custom_fields", "enrichment_jobs", "enrichment_items", "enrichment_runs", "mappings",
    "enrichment_run_reports", "auto_enrich_rules", "auto_enrich_runs", "schedules", "schedule_runs", "mapping_versions", "table_templates",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class TwoOrganizations:
    """Acme, whose users make the calls, and Other, whose data they must not read or change."""

    app: Api
    own: Ids
    other: Ids
    routes: Mapping[str, Route]

    @property
    def closed(self) -> dict[str, Route]:
        """Returns the routes that require credentials."""
        return {name: route for name, route in self.routes.items() if route.scope is not None}

    @property
    def of_organizations(self) -> dict[str, Route]:
        """Returns the routes that belong to an organization."""
        return {name: route for name, route in self.closed.items() if route.scope is not Scope.OPS}

    async def answers(
        self, chosen: Mapping[str, Route], who: str | None, org: object = None, headers: Mapping[str, str] | None = None
    ) -> dict[str, tuple[int, str]]:
        """Call each route with ids of the caller's own organization. Returns status and problem code by operation id."""
        report = {}
        for name, route in chosen.items():
            answer = await self.app.send(
                route.method, route.own.path, who, None if org is None else str(org), route.own.body, headers
            )
            assert answer.headers["content-type"].startswith("application/problem+json"), (name, answer.text)
            assert isinstance(answer.json()["detail"], str)
            self.contains_no_data(name, answer.text)
            report[name] = (answer.status_code, answer.json()["code"])
        return report

    def contains_no_data(self, name: str, text: str) -> None:
        for each in (*self.other.all[1:], "Lead of other_owner"):
            assert each not in text, name

    async def others_rows(self) -> dict[str, list[str]]:
        connection = self.app.host.connection
        return {
            name: [
                str(row)
                for row in await connection.fetch(
                    f"SELECT * FROM clay.{name} WHERE org_id = $1 ORDER BY 1, 2", self.other.org_id
                )
            ]
            for name in TABLES
        } | {"projects": [str(row) for row in await connection.fetch("SELECT * FROM projects ORDER BY id")]}


@pytest.fixture(params=list(Vintage), ids=str)
async def both(request: pytest.FixtureRequest, database_url: str) -> AsyncIterator[TwoOrganizations]:
    async with run_api(database_url, vintage=Vintage(request.param)) as app:
        own = await furnish(app, app.org_id, "owner")
        other = await furnish(app, app.other_org_id, "other_owner")
        await app.host.add("users", username="unassigned", email="unassigned@example.com", is_active=True)
        yield TwoOrganizations(app, own, other, routes(own, other))


async def test_every_route_is_in_the_table(both: TwoOrganizations) -> None:
    documented = {
        operation["operationId"]: (method.upper(), path)
        for path, operations in both.app.app.openapi()["paths"].items()
        for method, operation in operations.items()
        if method in METHODS
    }
    assert {name: (route.method, route.template) for name, route in both.routes.items()} == documented


async def test_every_route_with_an_id_is_tested_with_an_id_of_another_organization(both: TwoOrganizations) -> None:
    for path, operations in both.app.app.openapi()["paths"].items():
        for method, operation in operations.items():
            if method in METHODS and "{" in path:
                assert both.routes[operation["operationId"]].foreign, path


async def test_ids_of_another_organization_are_not_found_and_its_data_is_unchanged(both: TwoOrganizations) -> None:
    before = await both.others_rows()
    tried = 0
    for name, route in both.of_organizations.items():
        for call in route.foreign:
            answer = await both.app.send(route.method, call.path, "owner", both.own.org_id, call.body)
            assert answer.status_code == 404, (name, call, answer.text)
            tried += 1
    assert tried >= 20
    assert await both.others_rows() == before


async def test_requests_of_one_organization_show_and_change_nothing_of_another(both: TwoOrganizations) -> None:
    before = await both.others_rows()
    for name, route in both.of_organizations.items():
        if route.scope is Scope.READ and name not in EVENT_STREAMS:
            answer = await both.app.send(route.method, route.own.path, "owner", both.own.org_id, route.own.body)
            assert answer.status_code == 200, (name, answer.text)
            both.contains_no_data(name, answer.text)
    for path in ("/api/clay/config", "/api/integrations/clay/config"):
        await both.app.put(path, "owner", {"webhook_url": "https://api.clay.com/v3/another-webhook-of-ours"})
    await both.app.send("POST", "/api/clay/erasures", "owner", json={"lead_ids": [str(both.other.lead_id)]})
    await both.app.put(f"/api/clay/projects/{both.own.project_id}/auto-export", "owner", {"enabled": False})
    await both.app.send("POST", f"/api/clay/jobs/{both.own.job_id}/cancel", "owner")
    for route in (both.routes[name] for name in CHANGES_OF_RESULTS):
        changed = await both.app.send(route.method, route.own.path, "owner", both.own.org_id, route.own.body)
        assert changed.is_success, (route.template, changed.text)
    await both.app.send("DELETE", "/api/clay/config", "owner")
    routine = {"routine_id": "r", "inputs": {"Name": "full_name"}, "outputs": {"email": "Email"}}
    await both.app.put(f"{ENRICHMENT}/config", "owner", {"api_key": "another_key", "routines": {"full": routine}})
    await both.app.send("DELETE", f"{ENRICHMENT}/config", "owner")
    after = await both.others_rows()
    assert after == before  # also the host's projects: at level `read`, rules are in schema `clay`


async def test_a_member_of_another_organization_is_refused(both: TwoOrganizations) -> None:
    report = await both.answers(both.of_organizations, "other_owner", both.own.org_id)
    assert set(report.values()) == {(403, "not_a_member")}
    report = await both.answers(both.of_organizations, "owner", uuid4())
    assert set(report.values()) == {(403, "not_a_member")}


async def test_a_user_without_an_organization_is_refused(both: TwoOrganizations) -> None:
    report = await both.answers(both.of_organizations, "unassigned", both.own.org_id)
    assert set(report.values()) == {(403, "not_a_member")}
    report = await both.answers(both.of_organizations, "unassigned")
    assert set(report.values()) == {(400, "organization_required")}


async def test_a_plain_member_cannot_use_routes_of_owners(both: TwoOrganizations) -> None:
    guarded = {
        name: route for name, route in both.of_organizations.items() if route.scope in {Scope.CONFIG, Scope.ERASE}
    }
    assert len(guarded) >= 9
    button = guarded.pop("frontend_test")  # the host's page can show a refusal only as 200 with `status` and `message`
    report = (await both.app.send(button.method, button.own.path, "member", both.own.org_id)).json()
    assert (report["status"], "owner" in report["message"]) == ("error", True)
    assert set((await both.answers(guarded, "member")).values()) == {(403, "role_required")}
    erasing = {name: route for name, route in guarded.items() if route.scope is Scope.ERASE}
    assert set((await both.answers(erasing, "admin")).values()) == {(403, "role_required")}


async def test_a_request_without_a_token_gets_no_data(both: TwoOrganizations) -> None:
    assert {status for status, _ in (await both.answers(both.closed, None)).values()} == {401}
    for headers in (
        {"Authorization": "Bearer"},
        {"Authorization": "Basic eDp5"},
        {"Authorization": access_token("owner")},
    ):
        report = await both.answers(both.closed, None, headers=headers)
        assert {status for status, _ in report.values()} == {401}, headers


async def test_members_cannot_use_routes_of_operations(both: TwoOrganizations) -> None:
    ops = {name: route for name, route in both.closed.items() if route.scope is Scope.OPS}
    for who in ("owner", "other_owner", "unassigned"):
        assert {status for status, _ in (await both.answers(ops, who)).values()} == {401}


async def test_a_key_without_the_scope_is_refused(both: TwoOrganizations) -> None:
    for scope in Scope:
        others = [each for each in Scope if each is not scope]
        key = await both.app.key(*others, name=f"all but {scope.value}")
        chosen = {name: route for name, route in both.closed.items() if route.scope is scope}
        assert chosen
        assert set((await both.answers(chosen, key)).values()) == {(403, "scope_required")}, scope


async def test_a_key_of_another_organization_is_refused(both: TwoOrganizations) -> None:
    key = await both.app.key(*Scope, orgs=[both.other.org_id], name="theirs")
    report = await both.answers(both.of_organizations, key, both.own.org_id)
    assert set(report.values()) == {(403, "organization_forbidden")}


async def test_a_revoked_or_invented_key_is_refused(both: TwoOrganizations) -> None:
    key = await both.app.key(*Scope)
    await both.app.host.connection.execute("UPDATE clay.api_keys SET revoked_at = now()")
    assert {status for status, _ in (await both.answers(both.closed, key)).values()} == {401}
    for made_up in ("cps_", "cps_0_x", "cps_" + "x" * 100_000):
        both.app.credentials["made up"] = made_up
        assert {status for status, _ in (await both.answers(both.closed, "made up")).values()} == {401}


MALFORMED = (
    "x", "6f1d2a4e-8f0b-4d0e-9d53-0f6f6a1a7f1", "{6f1d2a4e-8f0b-4d0e-9d53-0f6f6a1a7f10}", "urn:uuid:" + str(uuid4()),
    uuid4().hex, "null", "undefined", "0", "' OR 1=1", "6f1d2a4e-8f0b-4d0e-9d53-0f6f6a1a7f10,x", "x" * 5000,
)  # fmt: skip


async def test_a_malformed_organization_gives_400(both: TwoOrganizations) -> None:
    key = await both.app.key(*Scope)
    for header in MALFORMED:
        for who in ("owner", key):
            report = await both.answers(both.of_organizations, who, header)
            assert set(report.values()) == {(400, "organization_invalid")}, header


def signed(claims: str, header: str = '{"alg":"HS256","typ":"JWT"}', secret: str = JWT_SECRET) -> str:
    """Sign the token without a library, because a library refuses to create most of these tokens."""
    parts = [base64.urlsafe_b64encode(part.encode()).rstrip(b"=") for part in (header, claims)]
    signature = hmac.new(secret.encode(), b".".join(parts), hashlib.sha256).digest()
    return b".".join([*parts, base64.urlsafe_b64encode(signature).rstrip(b"=")]).decode()


LATER = int(time.time()) + 3600
GOOD = {"sub": "owner", "type": "access", "exp": LATER}


def raw_exp(written: str) -> str:
    return signed('{"sub":"owner","type":"access","exp":' + written + "}")


TOKENS: Mapping[str, str] = {
    "a refresh token": access_token("owner", type="refresh"),
    "no type": access_token("owner", type=None),
    "alg none": jwt.encode(GOOD, "", algorithm="none"),
    "alg none, signed": signed(json.dumps(GOOD), '{"alg":"none"}'),
    "alg nOnE": signed(json.dumps(GOOD), '{"alg":"nOnE"}'),
    "HS384": jwt.encode(GOOD, JWT_SECRET.ljust(64), algorithm="HS384"),
    "HS512": jwt.encode(GOOD, JWT_SECRET.ljust(64), algorithm="HS512"),
    "RS256 over the secret": signed(json.dumps(GOOD), '{"alg":"RS256"}'),
    "ES256 over the secret": signed(json.dumps(GOOD), '{"alg":"ES256"}'),
    "another secret": signed(json.dumps(GOOD), secret="your-secret-key-change-in-production"),
    "no exp": access_token("owner", exp=None),
    "exp a string": signed(json.dumps({**GOOD, "exp": str(LATER)})),
    "exp a date": signed(json.dumps({**GOOD, "exp": "2099-01-01T00:00:00Z"})),
    "exp true": signed(json.dumps({**GOOD, "exp": True})),
    "exp null": signed(json.dumps({**GOOD, "exp": None})),
    "exp in milliseconds": raw_exp(str(LATER * 1000)),
    "exp of 400 digits": raw_exp("9" * 400),
    "exp of 5000 digits": raw_exp("9" * 5000),
    "exp infinite": raw_exp("Infinity"),
    "exp not a number": raw_exp("NaN"),
    "exp overflowing": raw_exp("1e999"),
    "exp over": raw_exp(str(int(time.time()) - 1)),
    "exp zero": raw_exp("0"),
    "not valid yet": signed(json.dumps({**GOOD, "nbf": LATER})),
    "a user who never was": access_token("never-was"),
    "a user by another case": access_token("OWNER"),
    "sub with NUL": access_token("owner\0"),
    "sub a lone surrogate": signed('{"sub":"\\ud800","type":"access","exp":' + str(LATER) + "}"),
    "sub a list": signed(json.dumps({**GOOD, "sub": ["owner"]})),
    "sub empty": signed(json.dumps({**GOOD, "sub": ""})),
    "claims a list": signed("[]"),
    "claims deeply nested": signed("[" * 3000),
    "not a token": "x.y.z",
    "very long": "a" * 50_000,
}


async def test_an_altered_token_gives_401_on_every_route(both: TwoOrganizations) -> None:
    let_in = {}
    for kind, credential in TOKENS.items():
        both.app.credentials["attacker"] = credential
        for name, (status, code) in (await both.answers(both.closed, "attacker", both.own.org_id)).items():
            if status != 401:
                let_in[kind, name] = status, code
    assert let_in == {}


async def test_a_valid_token_of_a_removed_user_gives_401(both: TwoOrganizations) -> None:
    connection = both.app.host.connection
    for state in ("false", "NULL"):
        await connection.execute(f"UPDATE users SET is_active = {state} WHERE username = 'owner'")
        for org in (None, both.own.org_id):
            report = await both.answers(both.of_organizations, "owner", org)
            assert set(report.values()) == {(401, "inactive_user")}
    await connection.execute("DELETE FROM users WHERE username = 'owner'")
    assert set((await both.answers(both.of_organizations, "owner")).values()) == {(401, "inactive_user")}
