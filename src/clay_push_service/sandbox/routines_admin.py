"""The sandbox's own API for the public API: behaviour, state, runs and clock under `/sandbox/api`. Clay has no such API."""

from collections.abc import Mapping

import orjson
from aiohttp import web

from clay_push_service.sandbox.admin import json_response, read_body
from clay_push_service.sandbox.routine_runs import RoutineRuns
from clay_push_service.sandbox.routines_models import ApiPlan, ClockBody

MAX_RUNS = 1_000


class RoutinesAdmin:
    def __init__(self, runs: RoutineRuns) -> None:
        self._runs = runs

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/sandbox/api", self.describe),
            web.put("/sandbox/api", self.replace),
            web.delete("/sandbox/api", self.restore),
            web.get("/sandbox/api/runs", self.list_runs),
            web.post("/sandbox/api/clock", self.advance_clock),
        ]

    async def describe(self, _request: web.Request) -> web.Response:
        return json_response(self._state())

    async def replace(self, request: web.Request) -> web.Response:
        self._runs.use(await read_body(request, ApiPlan))
        return json_response(self._state())

    async def restore(self, _request: web.Request) -> web.Response:
        """Use the default behaviour again; runs and counters stay."""
        self._runs.use(ApiPlan())
        return web.Response(status=204)

    async def list_runs(self, _request: web.Request) -> web.Response:
        """The last runs, newest first, with the items and inputs that the client sent."""
        newest = list(self._runs.runs.values())[: -MAX_RUNS - 1 : -1]
        return json_response(
            {
                "runs": [
                    {
                        "id": run.id,
                        "routine": run.routine_id,
                        "items": [{"id": item.id, "inputs": orjson.Fragment(orjson.dumps(item.inputs))} for item in run.items],
                    }
                    for run in newest
                ]
            }
        )  # fmt: skip

    async def advance_clock(self, request: web.Request) -> web.Response:
        self._runs.advance((await read_body(request, ClockBody)).advance_seconds)
        return json_response(self._state())

    def _state(self) -> Mapping[str, object]:
        runs = self._runs
        return {
            "plan": runs.plan.model_dump(mode="json"),
            "runs": len(runs.runs),
            "items": sum(len(run.items) for run in runs.runs.values()),
            "repeated_items": runs.repeated_items,
            "charged": runs.charged,
            "credits_left": runs.credits_left,
            "requests": dict(runs.requests),
        }
