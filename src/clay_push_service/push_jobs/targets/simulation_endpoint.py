"""The HTTP endpoint `/api/clay/routes/simulate`."""

from fastapi import APIRouter, Depends

from clay_push_service.callers.dependencies import Authorized, DetectedTables, Reader
from clay_push_service.callers.guarded_route import GuardedRoute, RouteLimits
from clay_push_service.callers.request_state import Transaction
from clay_push_service.callers.turns import Lane
from clay_push_service.problems import CALLER, responses
from clay_push_service.push_jobs.targets.simulate import Simulation, SimulationBody, simulate

router = APIRouter(prefix="/api/clay/routes", tags=["routes"], dependencies=Authorized, route_class=GuardedRoute)


@router.post(
    "/simulate", summary="Simulate the routes", responses=responses(*CALLER, 404, 413),
    dependencies=[Depends(RouteLimits(lane=Lane.COSTLY))], operation_id="simulate_routes",
)  # fmt: skip
async def post_simulation(
    body: SimulationBody, caller: Reader, connection: Transaction, tables: DetectedTables
) -> Simulation:
    """Where each lead would go, and which route decides. A push of the same leads now does the same. Queues and sends nothing."""
    return await simulate(connection, tables, caller.org_id, body)
