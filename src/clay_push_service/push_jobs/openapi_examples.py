"""Example responses for the API document; a test validates each against its schema."""

from typing import Final

from pydantic import JsonValue

LEAD: Final = "0b2f3a52-6c1e-4a86-9f5b-3b8a54e0f7d1"
PROJECT: Final = "6f1d2a4e-8f0b-4d0e-9d53-0f6f6a1a7f10"
JOB: Final = "4c0f6d0e-2f57-4f39-8a0c-5b1f6f2f9f11"

Example = dict[str, JsonValue]
DESTINATION: Final[Example] = {"id": "9a3d5f10-7c42-4b1e-8d26-1f0e4c7b2a55", "name": "Default"}

PUSH_ANSWER: Final[Example] = {
    "job_id": JOB, "lead_count": 3, "skipped_count": 1, "message": "Clay push job queued",
    "jobs": [{"job_id": JOB, "project_id": PROJECT, "destination": DESTINATION, "lead_count": 3, "skipped_count": 1}],
}  # fmt: skip
PREVIEW: Final[Example] = {
    "destination": DESTINATION, "blocked": None, "message": None, "waiting": None, "lead_count": 100, "to_send": 86,
    "skipped": [{"cause": "already_in_clay", "count": 14, "message": "Already in your Clay table."}],
    "changed_since": 3, "too_large": 0, "without_email": 31, "estimated": False, "queued_before": 0, "seconds": 17.2,
    "quota_left_after": 48_714, "quota_warning": None, "sync_note": None,
    "sample": {
        "_meta": {"source": "nexusleads", "nexusleads_project": "Acme Platform Leads"},
        "github_username": "johndoe", "full_name": "John Doe",
    },
}  # fmt: skip
JOB_VIEW: Final[Example] = {
    "id": JOB, "job_type": "clay_push", "push_mode": "filtered",
    "project": {"id": PROJECT, "name": "Acme Platform Leads"}, "destination": DESTINATION, "table_name": "Platform leads",
    "mapping": {"id": "5d2c1b0a-9e8f-4a7b-8c6d-3e2f1a0b9c8d", "name": "Outbound", "version": 3,
                "version_id": "e4a1c0de-1b2c-4d3e-9f4a-5b6c7d8e9f00"},
    "created_by": "user:alice", "created_at": "2026-11-22T06:00:00Z", "started_at": "2026-11-22T06:00:00.4Z",
    "finished_at": "2026-11-22T06:00:41Z", "retry_of": None, "status": "completed", "waiting": None,
    "warnings": ["2 leads failed.", "1 lead may already be in Clay: no clear response was received."],
    "summary": "198 pushed, 2 failed, 12 skipped.",
    "steps": [
        {"number": 1, "name": "Preparing leads", "status": "completed"},
        {"number": 2, "name": "Pushing to Clay", "status": "completed"},
        {"number": 3, "name": "Completing", "status": "completed"},
    ],
    "progress": "Pushed 198 of 200 leads to Clay", "progress_percent": 100.0, "lead_count": 212, "success_count": 198,
    "failed_count": 2, "skipped_count": 12, "pending_count": 0, "unknown_count": 1, "web_page_count": 0, "rate": None, "eta_seconds": None,
    "causes": [
        {"cause": "rejected", "count": 1, "message": "Clay rejected the row.",
         "remedy": "Compare the row with the column types of your Clay table, then retry.", "who": "you",
         "retryable": True},
        {"cause": "unknown", "count": 1, "message": "Clay gave no clear response: may already be in Clay.",
         "remedy": "Check your Clay table, and push again only the leads that are missing there.", "who": "you",
         "retryable": False},
        {"cause": "already_in_clay", "count": 12, "message": "Already in your Clay table.",
         "remedy": "Nothing to do. Push again explicitly to create a second row.", "who": "none", "retryable": False},
    ],
}  # fmt: skip
DELIVERY: Final[Example] = {
    "delivery_id": "d1c7f7d4-3e5b-4e8e-9d5a-7f0f1b8c2a66",
    "lead": {"id": LEAD, "username": "johndoe", "full_name": "John Doe"},
    "status": "failed", "cause": "rejected", "error_message": "Clay rejected the row.", "clay_response_status": 422,
    "attempts": 1, "uncertain_attempts": 0, "pushed_at": None, "confirmed_at": None,
}  # fmt: skip
LEAD_VIEW: Final[Example] = {
    "id": LEAD, "username": "johndoe", "full_name": "John Doe", "email": "john@example.com", "company": "Acme Inc.",
    "overall_score": 82.5, "classification": "DECISION_MAKER", "priority": "high", "is_qualified_lead": True, "enrichment_score": 92,
    "clay": {
        "state": "in_clay", "excluded": False, "pushed_at": "2026-11-22T06:00:12Z", "confirmed_at": "2026-11-22T06:01:40Z", "job_id": JOB,
    },
}  # fmt: skip
CANCELLED: Final[Example] = {
    "job_id": JOB, "cancelled_count": 180, "already_sent": 20, "maybe_sent": 0, "in_flight": 1,
    "message": "Cancelled: 180 leads will not be sent; 20 were already sent to Clay; 1 still in flight.",
}  # fmt: skip
STATUS: Final[Example] = {
    "available": True, "configured": True, "connected": True,
    "gate": {"code": None, "message": None, "upgrade_url": None}, "table_name": "Platform leads",
    "webhook_url": "https://api.clay.com/v3/…/••••abcd", "source": "api", "problem": None, "pending": None, "offers_new_table": False,
    "destination": {"state": "open", "reason": None, "until": None, "results_missing_since": None},
    "last_push": {
        "job_id": JOB, "status": "completed", "created_at": "2026-11-22T06:00:00Z",
        "finished_at": "2026-11-22T06:00:41Z", "success_count": 198, "failed_count": 2, "skipped_count": 12,
    },
    "totals": {"pushed": 1198, "failed": 2, "skipped": 12, "unknown": 1, "success_rate": 0.9983},
    "quota": {"used": 1200, "limit": 50_000, "remaining": 48_800, "warning": None},
    "pace": {"rate_limit_ms": 200, "current_ms": 200.0, "leads_per_second": 5.0}, "active_jobs": 0,
    "destinations": [
        {
            **DESTINATION, "is_default": True, "configured": True, "state": "open", "reason": None, "results_missing_since": None,
            "quota": {"used": 1200, "limit": 50_000, "remaining": 48_800, "warning": None},
            "totals": {"pushed": 1198, "failed": 2, "skipped": 12, "unknown": 1, "success_rate": 0.9983},
            "active_jobs": 0, "last_push_at": "2026-11-22T06:00:00Z",
        },
    ],
}  # fmt: skip
