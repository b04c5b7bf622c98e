"""Uses the generated Python client as a caller does: push, watch, list failures, retry. Exits with an error if a response differs."""

import json
import os
import time
from uuid import UUID

from python_client import AuthenticatedClient
from python_client.api.jobs import get_job, list_deliveries, retry_job
from python_client.api.push import push
from python_client.models import DeliveryPage, DeliveryStatus, JobStatus, JobView, Problem, PushAnswer, PushBody

STORY = json.loads(os.environ["STORY"])
LIVE = {JobStatus.PENDING, JobStatus.RUNNING}
POLL_SECONDS = 0.2


def ended(client: AuthenticatedClient, job_id: UUID) -> JobView:
    """Poll until the job has ended. The parent process limits the time."""
    while True:
        job = get_job.sync(job_id, client=client)
        assert isinstance(job, JobView), job
        if job.status not in LIVE:
            return job
        time.sleep(POLL_SECONDS)


def main() -> None:
    lead_ids = [UUID(each) for each in STORY["lead_ids"]]
    client = AuthenticatedClient(base_url=STORY["url"], token=STORY["token"])
    pushed = push.sync_detailed(client=client, body=PushBody(lead_ids=lead_ids, project_id=UUID(STORY["project_id"])))
    assert isinstance(pushed.parsed, PushAnswer), pushed
    assert pushed.headers["location"] == f"/api/clay/jobs/{pushed.parsed.job_id}"
    first = ended(client, pushed.parsed.job_id)
    assert first.failed_count == len(lead_ids)

    failures = list_deliveries.sync(first.id, client=client, status=DeliveryStatus.FAILED)
    assert isinstance(failures, DeliveryPage), failures
    assert {str(each.cause) for each in failures.leads} == {"rejected"}

    retried = retry_job.sync(first.id, client=client)
    assert isinstance(retried, PushAnswer), retried
    second = ended(client, retried.job_id)
    assert (second.success_count, second.retry_of) == (len(lead_ids), first.id)

    refused = push.sync(client=client, body=PushBody(lead_ids=[]))
    assert isinstance(refused, Problem)
    assert refused.code == "invalid_request"


if __name__ == "__main__":
    main()
