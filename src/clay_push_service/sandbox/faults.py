"""Faults on demand: what can go wrong at Clay, when, and the same way again for the same seed. It touches no socket."""

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
    """One thing that goes wrong.

    `probability` and `next` may be combined: "each request with this chance, until it has happened `next` times".
    `ms` is waited before the rule acts, whatever its kind. `store` says whether the row is kept all the same: always
    for `slow` and `reset_after`, never for `reset_before`, by choice for `status` and `stall`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: FaultKind
    probability: float = Field(default=1.0, ge=0.0, le=1.0)
    next: int | None = Field(default=None, ge=0, description="Only so many times; null for always")
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
        """`status:status=503,probability=0.1` or `reset_after:next=5`: the form of the command line."""
        kind, _, rest = text.partition(":")
        fields: dict[str, str] = {"kind": kind}
        for pair in filter(None, rest.split(",")):
            name, _, value = pair.partition("=")
            fields[name.strip()] = value.strip()
        return cls.model_validate(fields)


class FaultPlan(BaseModel):
    """All that goes wrong at one source. An empty plan is a healthy Clay."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = 0
    rules: Sequence[FaultRule] = Field(default=(), max_length=50)
    idle_close_ms: int | None = Field(
        default=None, ge=1, le=600_000, description="Close a kept-alive connection that was idle for so long"
    )


class FaultDice:
    """Draws the fault of each request; rule by rule its own random stream, so that rules do not disturb each other."""

    def __init__(self, plan: FaultPlan, source_id: str) -> None:
        self.plan = plan
        self._streams = [random.Random(f"{plan.seed}:{source_id}:{n}") for n in range(len(plan.rules))]  # noqa: S311 - repeatable on purpose
        self._left: list[int | None] = [rule.next for rule in plan.rules]

    def draw(self, *, accepting: bool) -> FaultRule | None:
        """The first rule that hits; `accepting` chooses between rules that keep the row and rules that do not."""
        hit: FaultRule | None = None
        for n, rule in enumerate(self.plan.rules):
            if rule.stores is not accepting:
                continue
            happens = self._streams[n].random() < rule.probability  # drawn even when unused: keeps the streams in step
            left = self._left[n]
            if hit is None and happens and left != 0:
                hit = rule
                self._left[n] = None if left is None else left - 1
        return hit
