"""The part of the `/status` document about workspaces with a pace."""

from collections.abc import Mapping
from uuid import UUID

from pydantic import BaseModel, Field

from clay_push_service.ops.pace import PaceLoad


class WaitingModel(BaseModel):
    reason: str = Field(
        description="`outage`: the destination waits; `clay_limit`: Clay requires a pause; `queue`: no worker has opened the"
        " push job yet; `pace`: each lead waits for its slot; `sending`: without a pace."
    )
    leads: int = Field(description="Leads without an outcome.")


class SlowestWorkspaceModel(BaseModel):
    org_id: UUID = Field(description="The organization.")
    organization: str | None = Field(description="Its name; null: unknown.")
    workspace_id: UUID = Field(description="Its Clay workspace.")
    rate_limit_ms: int = Field(description="Milliseconds between two leads.")
    waited_seconds: float = Field(description="Seconds since the last turn of its push job that has waited longest.")
    running_jobs: int = Field(description="Push jobs of the workspace with sendable leads.")


class PaceModel(BaseModel):
    """How workspaces with a pace are served."""

    served_workspaces: int = Field(description="Workspaces that workers serve now.")
    waiting: list[WaitingModel] = Field(description="Leads without an outcome, by the reason.")
    slowest: SlowestWorkspaceModel | None = Field(
        description="The served workspace with the push job that has waited longest for its turn; null: none waits."
    )


def pace_of(load: PaceLoad, names: Mapping[UUID, str]) -> PaceModel:
    slowest = load.slowest
    return PaceModel(
        served_workspaces=load.served_workspaces,
        waiting=[WaitingModel(reason=each.reason, leads=each.leads) for each in load.waiting],
        slowest=slowest
        and SlowestWorkspaceModel(
            org_id=slowest.org_id,
            organization=names.get(slowest.org_id),
            workspace_id=slowest.workspace_id,
            rate_limit_ms=slowest.rate_limit_ms,
            waited_seconds=round(slowest.waited_seconds, 1),
            running_jobs=slowest.running_jobs,
        ),
    )
