"""The caller of a request: organization, role and scopes, and the permission check. Pure: no I/O."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from uuid import UUID

from clay_push_service.errors import ForbiddenError
from clay_push_service.host.members import Member, Role


class Scope(StrEnum):
    """Permissions. A service key lists its scopes; those of a member depend on the role."""

    PUSH = "push"
    READ = "read"
    CONFIG = "config"
    ERASE = "erase"
    OPS = "ops"
    ENRICH = "enrich"
    """Request values from Clay, and choose, pin or correct values of a lead."""
    RESULTS = "results"
    """Read the results that Clay sent back, and apply those in quarantine."""


class CallerKind(StrEnum):
    MEMBER = "member"
    SERVICE = "service"


_ANY_MEMBER = frozenset({Scope.READ, Scope.PUSH, Scope.ENRICH, Scope.RESULTS})
SCOPES_OF_ROLE: Mapping[Role, frozenset[Scope]] = MappingProxyType(
    {
        Role.MEMBER: _ANY_MEMBER,
        Role.ADMIN: _ANY_MEMBER | {Scope.CONFIG},
        Role.OWNER: _ANY_MEMBER | {Scope.CONFIG, Scope.ERASE},
    }
)


@dataclass(frozen=True, slots=True)
class Caller:
    kind: CallerKind
    org_id: UUID
    actor: str
    """For the audit log and the pages of push jobs: `user:alice`, `key:ab12cd34 (nightly)`."""
    scopes: frozenset[Scope]
    user_id: UUID | None = None
    username: str | None = None
    role: Role | None = None
    key_id: UUID | None = None
    should_record_key_use: bool = False
    """The key's `last_used_at` is more than a minute old."""

    @classmethod
    def of_member(cls, member: Member) -> "Caller":
        return cls(
            CallerKind.MEMBER,
            member.org_id,
            f"user:{member.username}",
            SCOPES_OF_ROLE[member.role],
            user_id=member.user_id,
            username=member.username,
            role=member.role,
        )

    def require(self, scope: Scope) -> None:
        """Raises 403 `role_required` for a member, `scope_required` for a service key."""
        if scope in self.scopes:
            return
        if self.kind is CallerKind.MEMBER and scope is Scope.CONFIG:
            raise ForbiddenError(
                "Only an owner or admin of the organization may change or test its Clay settings.", code="role_required"
            )
        if self.kind is CallerKind.MEMBER and scope is Scope.ERASE:
            raise ForbiddenError(
                "Only an owner of the organization, or a service key with scope erase, may erase leads.",
                code="role_required",
            )
        if self.kind is CallerKind.MEMBER:
            raise ForbiddenError(f"This requires a service key with scope {scope.value}.", code="scope_required")
        raise ForbiddenError(f"This service key lacks the scope {scope.value}.", code="scope_required")
