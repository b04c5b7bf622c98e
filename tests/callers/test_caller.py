"""The scopes of each role and key, and the message of a refusal."""

from uuid import UUID

import pytest

from clay_push_service.callers.caller import SCOPES_OF_ROLE, Caller, CallerKind, Scope
from clay_push_service.errors import ForbiddenError
from clay_push_service.host.members import Member, Role

ORG, USER = UUID(int=1), UUID(int=2)
MEMBER = {Scope.READ, Scope.PUSH, Scope.ENRICH, Scope.RESULTS}
ALLOWED = {
    Role.MEMBER: MEMBER,
    Role.ADMIN: MEMBER | {Scope.CONFIG},
    Role.OWNER: MEMBER | {Scope.CONFIG, Scope.ERASE},
}


def refusal_of(caller: Caller, scope: Scope) -> tuple[str, str] | None:
    """Returns code and detail of the refusal, or None if the scope is granted."""
    try:
        caller.require(scope)
    except ForbiddenError as error:
        return error.code, error.detail
    return None


def member(role: Role) -> Caller:
    return Caller.of_member(Member(USER, "alice", ORG, role))


@pytest.mark.parametrize("role", Role)
def test_a_role_allows_exactly_its_scopes(role: Role) -> None:
    assert {scope for scope in Scope if refusal_of(member(role), scope) is None} == ALLOWED[role]
    assert SCOPES_OF_ROLE[role] == ALLOWED[role]


def test_the_actor_of_a_member_is_the_user_name_in_the_host() -> None:
    caller = member(Role.ADMIN)
    assert caller.kind is CallerKind.MEMBER
    assert caller.actor == "user:alice"
    assert (caller.org_id, caller.user_id, caller.username, caller.role) == (ORG, USER, "alice", Role.ADMIN)
    assert (caller.key_id, caller.should_record_key_use) == (None, False)


def test_the_refusal_names_the_required_role_to_a_member_and_the_scope_to_a_service() -> None:
    assert refusal_of(member(Role.MEMBER), Scope.CONFIG) == (
        "role_required", "Only an owner or admin of the organization may change or test its Clay settings.",
    )  # fmt: skip
    assert refusal_of(member(Role.ADMIN), Scope.ERASE) == (
        "role_required", "Only an owner of the organization, or a service key with scope erase, may erase leads.",
    )  # fmt: skip
    assert refusal_of(member(Role.OWNER), Scope.OPS) == (
        "scope_required", "This requires a service key with scope ops.",
    )  # fmt: skip
    service = Caller(CallerKind.SERVICE, ORG, "key:ab12 (nightly)", frozenset({Scope.READ}))
    assert refusal_of(service, Scope.READ) is None
    assert refusal_of(service, Scope.PUSH) == ("scope_required", "This service key lacks the scope push.")
    assert refusal_of(service, Scope.CONFIG) == ("scope_required", "This service key lacks the scope config.")
