"""Configurable faults of the sandbox: which, when and how often, repeatable by seed. It does no I/O."""

import random
from collections.abc import Sequence
from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict, Field


class FaultKind(StrEnum):
    STATUS = "status"
    SLOW = "slow"
    RESET_BEFORE = "reset_before"
    RESET_AFTER = "reset_after"
    STALL = "stall"


class FaultRule(BaseModel):
    """One fault.

    `probability` and `next` can be combined: each request has this probability until the fault has happened `next` times.
    `ms` delays any kind of fault. `store` chooses whether the row is stored anyway for `status` and `stall`; `slow` and
    `reset_after` always store it, `reset_before` never does.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: FaultKind
    probability: float = Field(default=1.0, ge=0.0, le=1.0)
    next: int | None = Field(default=None, ge=0, description="Maximum number of times; null for no limit")
    status: int = Field(default=503, ge=200, le=599)
    retry_after: str | None = Field(default=None, max_length=100, pattern=r"^[\x20-\x7e]*$")
    message: str | None = Field(default=None, max_length=500)
    ms: int = Field(default=0, ge=0, le=600_000)
    store: bool = False

    @property
    def stores(self) -> bool:
        match self.kind:
            case FaultKind.SLOW | FaultKind.RESET_AFTER:
                return True
            case FaultKind.RESET_BEFORE:
                return False
            case _:
                return self.store

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parses the command line form, such as `status:status=503,probability=0.1` or `reset_after:next=5`."""
        kind, _, rest = text.partition(":")
        fields: dict[str, str] = {"kind": kind}
        for pair in filter(None, rest.split(",")):
            name, _, value = pair.partition("=")
            fields[name.strip()] = value.strip()
        return cls.model_validate(fields)


class FaultPlan(BaseModel):
    """The faults of one source. An empty plan is a healthy Clay."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = 0
    rules: Sequence[FaultRule] = Field(default=(), max_length=50)
    idle_close_ms: int | None = Field(
        default=None, ge=1, le=600_000, description="Close a keep-alive connection after this idle time"
    )


class FaultDice:
    """Chooses the fault of each request. Each rule has its own random stream, so that rules do not influence each other."""

    def __init__(self, plan: FaultPlan, source_id: str) -> None:
        self.plan = plan
        self._streams = [random.Random(f"{plan.seed}:{source_id}:{n}") for n in range(len(plan.rules))]  # noqa: S311 - repeatable on purpose
        self._left: list[int | None] = [rule.next for rule in plan.rules]

    def draw(self, *, accepting: bool) -> FaultRule | None:
        """Returns the first rule that applies; `accepting` selects rules that store the row or rules that do not."""
        hit: FaultRule | None = None
        for n, rule in enumerate(self.plan.rules):
            if rule.stores is not accepting:
                continue
            happens = (
                self._streams[n].random() < rule.probability
            )  # always drawn, so that the stream does not depend on other rules
            left = self._left[n]
            if hit is None and happens and left != 0:
                hit = rule
                self._left[n] = None if left is None else left - 1
        return hit
