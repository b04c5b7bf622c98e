"""A response shows which stage of a connection test failed."""

from datetime import UTC, datetime

import pytest

from clay_push_service.clay.outcome import outcome_of
from clay_push_service.clay.response import (
    Blocked,
    NoResponse,
    NoResponseKind,
    NotConnected,
    NotConnectedKind,
    Responded,
    Response,
)
from clay_push_service.destination_settings.connection_test.result import finding_of, texts_of
from clay_push_service.destination_settings.connection_test.stages import (
    ConnectionResult,
    ConnectionStage,
    failed_stage,
)

NOW = datetime(2026, 11, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("response", "stage"),
    [
        (Blocked("host_not_allowed"), ConnectionStage.ADDRESS),
        (Blocked("address_not_public"), ConnectionStage.DNS),
        (NotConnected(NotConnectedKind.DNS), ConnectionStage.DNS),
        (NotConnected(NotConnectedKind.REFUSED), ConnectionStage.CONNECTION),
        (NotConnected(NotConnectedKind.CONNECT_TIMEOUT), ConnectionStage.CONNECTION),
        (NotConnected(NotConnectedKind.BUSY), ConnectionStage.CONNECTION),
        (NotConnected(NotConnectedKind.TLS), ConnectionStage.TLS),
        (NotConnected(NotConnectedKind.CERTIFICATE), ConnectionStage.TLS),
        (Responded(401), ConnectionStage.TOKEN),
        (Responded(404), ConnectionStage.ROW),
        (Responded(429), ConnectionStage.ROW),
        (Responded(500), ConnectionStage.ROW),
        (Responded(200, body=b"<!doctype html>"), ConnectionStage.ROW),
        (NoResponse(NoResponseKind.TIMEOUT), ConnectionStage.ROW),
        (Responded(200), None),
    ],
)
def test_the_response_shows_the_stage_that_failed(response: Response, stage: ConnectionStage | None) -> None:
    outcome = outcome_of(response, attempts=1, now=NOW, max_attempts=1)
    assert failed_stage(response, outcome.cause, is_page=outcome.is_page) is stage
    finding = finding_of(outcome, 1, stage)
    statuses = [each.status for each in finding.stages]
    assert finding.success is (stage is None)
    if stage is None:
        assert set(statuses) == {ConnectionResult.PASSED}
        return
    position = list(ConnectionStage).index(stage)
    assert set(statuses[:position]) <= {ConnectionResult.PASSED}
    assert statuses[position] in {ConnectionResult.FAILED, ConnectionResult.UNCLEAR}
    assert set(statuses[position + 1 :]) <= {ConnectionResult.NOT_RUN}
    assert finding.stages[position].remedy
    assert texts_of(finding.cause, stage)[0] == finding.message, (
        "the cause and stage of the audit log must give the same text"
    )


def test_no_response_after_the_row_left_is_unclear() -> None:
    response = NoResponse(NoResponseKind.LOST)
    finding = finding_of(outcome_of(response, attempts=1, now=NOW, max_attempts=1), 1, ConnectionStage.ROW)
    assert finding.stages[-1].status is ConnectionResult.UNCLEAR
