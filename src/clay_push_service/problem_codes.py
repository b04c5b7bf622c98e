"""Every code a refusal may carry, with what it means and what to do about it; the API's description is rendered from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class ProblemCode:
    status: int
    meaning: str
    remedy: str


_ASK_OPERATOR: Final = "Ask the NexusLeads operator, who sees why with `clay-push doctor`."
_SEND_CREDENTIAL: Final = "Send `Authorization: Bearer` with NexusLeads' access token or a service key."
_LATER: Final = "Try again after `Retry-After`."

_OF_CALLER: Final = {
    "bad_request": ProblemCode(400, "The request cannot be understood.", "Correct it; `detail` says what is wrong."),
    "organization_required": ProblemCode(
        400, "The caller belongs to none or several organizations.", "Name one in the header `X-Org-Id`."
    ),
    "organization_invalid": ProblemCode(400, "`X-Org-Id` is not a UUID.", "Send the organization's id."),
    "cursor_invalid": ProblemCode(
        400, "The cursor is not a `next_cursor` of this list.", "Use `next_cursor` of the page before."
    ),
    "idempotency_key_invalid": ProblemCode(
        400, "The `Idempotency-Key` is empty, too long or not visible ASCII.", "Use 1 to 255 visible ASCII characters."
    ),
    "unauthorized": ProblemCode(401, "There is no credential, or none that this takes.", _SEND_CREDENTIAL),
    "invalid_token": ProblemCode(401, "The access token is not valid or has expired.", "Log in to NexusLeads again."),
    "invalid_key": ProblemCode(401, "The service key is not valid or was revoked.", "Ask the operator for another."),
    "inactive_user": ProblemCode(401, "The token's user is not active any more.", "Log in as another user."),
    "tokens_not_accepted": ProblemCode(401, "This instance takes service keys only.", _ASK_OPERATOR),
    "forbidden": ProblemCode(403, "The caller may not do this.", "Ask an owner of the organization."),
    "enterprise_required": ProblemCode(
        403,
        "The organization's plan has no Clay integration.",
        "Upgrade; `upgrade_url` says where, if there is such a page.",
    ),
    "not_a_member": ProblemCode(403, "The user is no member of this organization.", "Name another in `X-Org-Id`."),
    "organization_forbidden": ProblemCode(
        403, "The service key is not for this organization.", "Use a key of the organization."
    ),
    "role_required": ProblemCode(403, "The user's role may not do this.", "Ask an owner or admin of the organization."),
    "scope_required": ProblemCode(403, "The service key lacks a scope.", "Ask the operator for a key that has it."),
}
_OF_STATE: Final = {
    "not_found": ProblemCode(404, "It is not there, or another organization's.", "Check the id."),
    "route_not_found": ProblemCode(404, "There is nothing at this path.", "Check the path."),
    "project_not_found": ProblemCode(404, "The organization has no such project.", "Check `project_id`."),
    "lead_not_found": ProblemCode(
        404, "Some ids are no leads here; nothing was queued. `lead_ids` names the first ten.", "Leave them out."
    ),
    "job_not_found": ProblemCode(404, "The organization has no such push job.", "Check the id."),
    "pending_change_not_found": ProblemCode(
        404, "No such change of the webhook waits; it was settled or replaced.", "Read the settings again."
    ),
    "erasure_not_found": ProblemCode(404, "The organization has no such erasure.", "Check the id."),
    "method_not_allowed": ProblemCode(405, "The path does not take this method.", "`Allow` says which it takes."),
    "conflict": ProblemCode(409, "Not in this state.", "`detail` says why."),
    "clay_not_configured": ProblemCode(
        409, "No webhook is set.", "Configure the Clay webhook URL in Settings → Integrations."
    ),
    "destination_closed": ProblemCode(
        409,
        "The Clay table takes no leads now; `reason` is the cause.",
        "`remedy` says what to do, and `who` can do it.",
    ),
    "config_changed": ProblemCode(409, "Somebody else has just changed the settings.", "Read them, and save again."),
    "idempotency_key_in_use": ProblemCode(409, "The first request with this key still runs.", _LATER),
    "job_running": ProblemCode(409, "The push job has not ended.", "Wait for its end, or cancel it."),
    "job_ended": ProblemCode(409, "The push job has ended already.", "Nothing to do."),
    "nothing_to_retry": ProblemCode(
        409, "Nothing failed or was cancelled, or only what must be named.", "Name `causes` or `lead_ids`."
    ),
    "source_job_reused": ProblemCode(
        409, "The scan was run for another project.", "Send the id of this project's scan."
    ),
}
_OF_BODY: Final = {
    "request_timeout": ProblemCode(
        408, "The body was not complete in time.", "Send it again over a faster connection, or less at once."
    ),
    "body_too_large": ProblemCode(413, "The body is too large.", "Send less at once."),
    "media_type_unsupported": ProblemCode(
        415,
        "The body has no `Content-Type: application/json`, or it is compressed.",
        "Send JSON in UTF-8 with this header, uncompressed.",
    ),
    "invalid_request": ProblemCode(422, "A field is not valid; `errors` names it.", "Correct it."),
    "idempotency_key_reused": ProblemCode(
        422, "The key was used for another request in the last 24 hours.", "Use a new key for a new request."
    ),
    "too_many_leads": ProblemCode(422, "The filters match over 50,000 leads; `count` says how many.", "Narrow them."),
    "nothing_selected": ProblemCode(422, "No lead is named.", "Select at least one."),
    "webhook_blocked": ProblemCode(
        422, "The guard does not let this webhook URL be sent to; `reason` says why.",
        "Paste the webhook URL that Clay shows for your table.",
    ),
}  # fmt: skip
_OF_SERVICE: Final = {
    "pace_busy": ProblemCode(429, "Other leads are being sent to the webhook just now.", _LATER),
    "too_many_requests": ProblemCode(429, "Too soon, or too many at once.", _LATER),
    "internal_error": ProblemCode(500, "Something unexpected happened.", "Report it with the `request_id`."),
    "unavailable": ProblemCode(503, "This cannot be done now.", _LATER),
    "database_unavailable": ProblemCode(503, "The database cannot be reached.", _LATER),
    "database_not_ready": ProblemCode(503, "The database is behind this release.", _ASK_OPERATOR),
    "host_missing": ProblemCode(503, "NexusLeads' tables are not found.", _ASK_OPERATOR),
    "encryption_keys_missing": ProblemCode(503, "Webhooks cannot be stored or read yet.", _ASK_OPERATOR),
    "overloaded": ProblemCode(503, "Too many requests are under way.", _LATER),
    "not_ready": ProblemCode(503, "The instance cannot take requests yet.", _LATER),
}
PROBLEM_CODES: Final[Mapping[str, ProblemCode]] = MappingProxyType(
    {**_OF_CALLER, **_OF_STATE, **_OF_BODY, **_OF_SERVICE}
)


def codes_of(status: int) -> str:
    """For a response's description, which is repeated at every route; the table above tells what each means."""
    return ", ".join(f"`{code}`" for code, said in PROBLEM_CODES.items() if said.status == status)
