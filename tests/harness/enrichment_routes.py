"""The routes of enrichment as calls with valid arguments, for `routes`."""

from clay_push_service.callers.caller import Scope
from tests.harness.routing_routes import AddRoute

ENRICHMENT = "/api/clay/enrichment"


def add_enrichment(add: AddRoute, lead: str, others_lead: str) -> None:
    add("read_enrichment_config", "GET", f"{ENRICHMENT}/config", Scope.READ)
    add("write_enrichment_config", "PUT", f"{ENRICHMENT}/config", Scope.CONFIG, body={"requests_per_minute": 300})
    add("remove_enrichment_key", "DELETE", f"{ENRICHMENT}/config", Scope.CONFIG)
    add("confirm_pending_key", "POST", f"{ENRICHMENT}/config/pending/{{pending_key_id}}/confirm", Scope.CONFIG)
    add("reject_pending_key", "POST", f"{ENRICHMENT}/config/pending/{{pending_key_id}}/reject", Scope.CONFIG)
    add("check_enrichment", "POST", f"{ENRICHMENT}/test", Scope.CONFIG, body={},
        foreign=[{"run_item": True, "lead_id": others_lead}])  # fmt: skip
    add("estimate_enrichment", "POST", f"{ENRICHMENT}/estimate", Scope.READ, body={"kind": "full", "lead_ids": [lead]},
        foreign=[{"kind": "full", "lead_ids": [lead, others_lead]}])  # fmt: skip
    rule = "/api/clay/projects/{project_id}/auto-enrich"
    add("get_auto_enrich", "GET", rule, Scope.READ)
    add("get_auto_enrich_preview", "GET", f"{rule}/preview", Scope.READ)
    add("set_auto_enrich", "PUT", rule, Scope.CONFIG, body={"enabled": False, "basis": "consent"})
    add("resume_auto_enrich", "POST", f"{ENRICHMENT}/resume-rules", Scope.CONFIG)
    request = {"kind": "email", "basis": "consent"}
    add("enrich_lead", "POST", "/api/clay/leads/{lead_id}/enrich", Scope.ENRICH, body=request)
    add("enrich_leads", "POST", "/api/clay/enrich", Scope.ENRICH, body=request | {"lead_ids": [lead]},
        foreign=[request | {"lead_ids": [others_lead]}, request | {"lead_ids": [lead, others_lead]}])  # fmt: skip
    add("list_enrichment_jobs", "GET", f"{ENRICHMENT}/jobs", Scope.READ)
    # Clay signs the body: tests/enrichment/jobs/test_adopt.py
    add("receive_run_report", "POST", f"{ENRICHMENT}/run-finished/{{endpoint_id}}", None, body={})
    job = ENRICHMENT + "/jobs/{enrichment_job_id}"
    for name, method, ending, scope in (
        ("get_enrichment_job", "GET", "", Scope.READ), ("list_enrichment_items", "GET", "/items", Scope.READ),
        ("watch_enrichment_job", "GET", "/events", Scope.READ), ("cancel_enrichment_job", "POST", "/cancel", Scope.ENRICH),
    ):  # fmt: skip
        add(name, method, job + ending, scope, documented=f"{ENRICHMENT}/jobs/{{job_id}}{ending}")
