"""All problem codes with their status, meaning and remedy. The API description is generated from this table."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class ProblemCode:
    status: int
    meaning: str
    remedy: str


_ASK_OPERATOR: Final = "Ask the NexusLeads operator to run `clay-push doctor`, which shows the reason."
_SEND_CREDENTIAL: Final = "Send `Authorization: Bearer` with a NexusLeads access token or a service key."
_LATER: Final = "Retry after the time in `Retry-After`."

_OF_CALLER: Final = {
    "bad_request": ProblemCode(400, "The request is malformed.", "Correct it; `detail` names the error."),
    "organization_required": ProblemCode(
        400,
        "The caller belongs to no organization or to several.",
        "Send one organization id in the header `X-Org-Id`.",
    ),
    "organization_invalid": ProblemCode(400, "`X-Org-Id` is not a UUID.", "Send the organization's id."),
    "cursor_invalid": ProblemCode(
        400, "Invalid cursor: it is not a `next_cursor` of this list.", "Use `next_cursor` of the previous page."
    ),
    "idempotency_key_invalid": ProblemCode(
        400,
        "The `Idempotency-Key` is empty, too long or contains other than visible ASCII characters.",
        "Use 1 to 255 visible ASCII characters.",
    ),
    "unauthorized": ProblemCode(401, "Missing or unsupported credentials.", _SEND_CREDENTIAL),
    "invalid_token": ProblemCode(401, "The access token is invalid or expired.", "Log in to NexusLeads again."),
    "invalid_key": ProblemCode(401, "The service key is invalid or revoked.", "Ask the operator for a new key."),
    "inactive_user": ProblemCode(401, "The user of the token is inactive.", "Log in as another user."),
    "tokens_not_accepted": ProblemCode(401, "This instance accepts service keys only.", _ASK_OPERATOR),
    "session_required": ProblemCode(401, "The console's session has ended (pages only).", "Sign in again."),
    "cross_site": ProblemCode(
        403, "A page of another site sent the form (pages of the console only).", "Repeat it in the console."
    ),
    "form_token_invalid": ProblemCode(
        403, "The form is not of this session (pages of the console only).", "Open the page again, and repeat it."
    ),
    "forbidden": ProblemCode(403, "The caller lacks the permission.", "Ask an owner of the organization."),
    "enterprise_required": ProblemCode(
        403,
        "The plan of the organization does not include the Clay integration.",
        "Upgrade the plan; `upgrade_url` is the page for it, if present.",
    ),
    "not_a_member": ProblemCode(
        403, "The user is not a member of this organization.", "Send another organization in `X-Org-Id`."
    ),
    "organization_forbidden": ProblemCode(
        403, "The service key does not include this organization.", "Use a key of the organization."
    ),
    "role_required": ProblemCode(
        403, "The role of the user lacks the permission.", "Ask an owner or admin of the organization."
    ),
    "scope_required": ProblemCode(
        403, "The service key lacks a required scope.", "Ask the operator for a key with this scope."
    ),
}
_OF_STATE: Final = {
    "not_found": ProblemCode(404, "The resource does not exist, or belongs to another organization.", "Check the id."),
    "route_not_found": ProblemCode(404, "No resource exists at this path.", "Check the path."),
    "project_not_found": ProblemCode(404, "The organization has no project with this id.", "Check `project_id`."),
    "lead_not_found": ProblemCode(
        404,
        "Some ids are not leads of this project; nothing was queued. `lead_ids` lists the first ten.",
        "Remove these ids.",
    ),
    "job_not_found": ProblemCode(404, "The organization has no push job with this id.", "Check the id."),
    "enrichment_job_not_found": ProblemCode(
        404, "The organization has no enrichment job with this id.", "Check the id."
    ),
    "destination_not_found": ProblemCode(404, "The organization has no destination with this id.", "Check the id."),
    "workspace_not_found": ProblemCode(404, "The organization has no workspace with this id.", "Check the id."),
    "delivery_not_found": ProblemCode(404, "The push job has no delivery with this id.", "Check both ids."),
    "pending_change_not_found": ProblemCode(
        404,
        "No pending webhook change has this id; it was confirmed, discarded or replaced.",
        "Read the settings again.",
    ),
    "results_token_not_found": ProblemCode(
        404, "The organization has no active results token with this id.", "List the tokens again."
    ),
    "result_not_found": ProblemCode(404, "The organization has no result with this id.", "Check the id."),
    "field_not_found": ProblemCode(
        404, "No field of an enrichment has this name.", "Use a field of the list, or add it to the custom fields."
    ),
    "value_not_found": ProblemCode(
        404, "This field of the lead has no value with this id.", "Use an `id` of the field's history."
    ),
    "exclusion_not_found": ProblemCode(404, "The organization has no exclusion with this id.", "List the exclusions."),
    "segment_not_found": ProblemCode(404, "The organization has no segment with this id.", "List the segments again."),
    "segment_name_taken": ProblemCode(409, "Another segment has this name.", "Choose another name."),
    "segment_in_use": ProblemCode(
        409, "Routes or exclusions use the segment; `uses` lists them.", "Remove these first, or change the segment."
    ),
    "routes_changed": ProblemCode(409, "Another user has changed the routes.", "Read the routes, and save again."),
    "schedule_not_found": ProblemCode(404, "The organization has no schedule with this id.", "List the schedules."),
    "mapping_not_found": ProblemCode(404, "The organization has no mapping with this id.", "List the mappings again."),
    "template_not_found": ProblemCode(404, "No table template has this key or id.", "List the templates again."),
    "erasure_not_found": ProblemCode(404, "The organization has no erasure with this id.", "Check the id."),
    "method_not_allowed": ProblemCode(
        405, "The path does not support this method.", "Use a method from the `Allow` header."
    ),
    "conflict": ProblemCode(409, "The current state does not allow this.", "`detail` gives the reason."),
    "clay_not_configured": ProblemCode(
        409, "No webhook is configured.", "Configure the Clay webhook URL in Settings → Integrations."
    ),
    "destination_closed": ProblemCode(
        409,
        "The Clay table does not accept leads now; `reason` is the cause.",
        "`remedy` describes what to do, and `who` is responsible.",
    ),
    "sync_mode_refused": ProblemCode(
        409, "The Clay table would drop the rows of changed leads.", "`detail` gives the reason, and what to change."
    ),
    "destination_archived": ProblemCode(409, "The destination is archived.", "Use another destination."),
    "destination_in_use": ProblemCode(
        409,
        "Something uses the destination; `used_by` lists it.",
        "Let it use another destination, then archive this one.",
    ),
    "webhook_in_use": ProblemCode(
        409, "Another destination of the organization has this webhook.", "Use that destination, or another webhook."
    ),
    "name_in_use": ProblemCode(409, "The name belongs to another one of the organization.", "Choose another name."),
    "too_many_destinations": ProblemCode(
        409, "The organization has 50 destinations, which is the limit.", "Archive one that is no longer used."
    ),
    "too_many_workspaces": ProblemCode(
        409, "The organization has 20 workspaces, which is the limit.", "Change one that exists."
    ),
    "pending_change_exists": ProblemCode(
        409,
        "A change of the webhook that was found in NexusLeads' settings is not decided.",
        "Confirm or reject it, then repeat the request.",
    ),
    "config_changed": ProblemCode(
        409, "Another user has changed the settings in the meantime.", "Read the settings, and save again."
    ),
    "idempotency_key_in_use": ProblemCode(409, "The first request with this key is still running.", _LATER),
    "lead_excluded": ProblemCode(
        409,
        "An exclusion of the organization keeps the lead from Clay.",
        "Remove the exclusion, or choose another lead.",
    ),
    "lead_erased": ProblemCode(409, "The lead was erased: it is never pushed or enriched again.", "Nothing to do."),
    "write_back_not_permitted": ProblemCode(
        409, "The operator has not permitted writing into NexusLeads.", _ASK_OPERATOR
    ),
    "too_many_tokens": ProblemCode(
        409, "Two results tokens are active, which is the limit.", "Revoke the one that is no longer used."
    ),
    "too_many_schedules": ProblemCode(409, "The organization has 100 schedules, the limit.", "Delete one first."),
    "result_applied": ProblemCode(409, "The result was applied already.", "Nothing to do."),
    "result_not_applicable": ProblemCode(
        409, "The body of the result is no longer kept, or was refused.", "Run the row again in Clay."
    ),
    "nothing_to_pin": ProblemCode(409, "The field has no value to pin.", "Send `value`, or the `value_id` of a value."),
    "job_running": ProblemCode(409, "The push job is still running.", "Wait until it has finished, or cancel it."),
    "mapping_in_use": ProblemCode(
        409, "Destinations use the mapping; `destination_ids` lists them.", "Choose another mapping for them first."
    ),
    "workers_outdated": ProblemCode(409, "A worker of an earlier release ignores mappings.", "Try again in minutes."),
    "too_many_mappings": ProblemCode(409, "The organization has 100 mappings, the limit.", "Archive one."),
    "too_many_templates": ProblemCode(409, "The organization has 100 table templates, the limit.", "Remove one."),
    "nothing_missing": ProblemCode(409, "No lead waits for a missing result.", "Nothing to do."),
    "job_ended": ProblemCode(409, "The job has already finished.", "Nothing to do."),
    "credentials_not_configured": ProblemCode(
        409, "The organization has no Clay API key.", "Save it in Settings → Integrations; `remedy` gives details."
    ),
    "invalid_credentials": ProblemCode(
        409, "Clay has refused the organization's API key.", "`remedy` lists what to check; then test the settings."
    ),
    "key_unreadable": ProblemCode(409, "The stored Clay API key could not be decrypted.", "Save the key again."),
    "routine_not_set": ProblemCode(
        409, "No routine is set for this kind of enrichment.", "Set it in Settings → Integrations."
    ),
    "budget_exhausted": ProblemCode(
        409,
        "The daily budget covers no further lead.",
        "Enrich tomorrow, or ask an owner or admin for a larger budget.",
    ),
    "nothing_to_retry": ProblemCode(
        409, "No lead can be retried without `causes` or `lead_ids`.", "Send `causes` or `lead_ids`."
    ),
    "source_job_reused": ProblemCode(
        409, "The scan belongs to another project.", "Send the id of a scan of this project."
    ),
}
_OF_BODY: Final = {
    "request_timeout": ProblemCode(
        408, "The body did not arrive in time.", "Use a faster connection, or send a smaller body."
    ),
    "body_too_large": ProblemCode(413, "The body is too large.", "Send a smaller body."),
    "media_type_unsupported": ProblemCode(
        415,
        "The body has no `Content-Type: application/json`, or it is compressed.",
        "Send JSON in UTF-8 with this header, uncompressed.",
    ),
    "invalid_request": ProblemCode(422, "A field is invalid; `errors` lists it.", "Correct it."),
    "idempotency_key_reused": ProblemCode(
        422, "The key was used for another request in the last 24 hours.", "Use a new key for a new request."
    ),
    "too_many_leads": ProblemCode(422, "The filters match more than 50,000 leads; `count` is the number.", "Narrow the filters."),
    "budget_required": ProblemCode(
        422, "A rule that enriches needs a daily budget.", "Set `budget` in the enrichment settings first.",
    ),
    "missing_input": ProblemCode(
        422, "No lead has the values that the enrichment needs; `errors` names them. Nothing was sent.",
        "Add the values in NexusLeads, or choose other leads.",
    ),
    "too_many_segments": ProblemCode(422, "The organization has 200 segments, the limit.", "Delete one first."),
    "too_many_routes": ProblemCode(422, "The organization would have over 100 routes.", "Remove some routes."),
    "nothing_selected": ProblemCode(422, "No lead is selected.", "Select at least one."),
    "webhook_blocked": ProblemCode(
        422, "The webhook URL is not allowed; `reason` is the code of the rule.",
        "Paste the webhook URL that Clay shows for your table.",
    ),
}  # fmt: skip
_OF_SERVICE: Final = {
    "pace_busy": ProblemCode(429, "Other leads are being sent to the webhook now.", _LATER),
    "too_many_requests": ProblemCode(429, "Too many requests in a short time or at the same time.", _LATER),
    "internal_error": ProblemCode(500, "An unexpected error occurred.", "Report it with its `request_id`."),
    "unavailable": ProblemCode(503, "The service cannot do this now.", _LATER),
    "database_unavailable": ProblemCode(503, "The database cannot be reached.", _LATER),
    "database_not_ready": ProblemCode(503, "The database schema is older than this release.", _ASK_OPERATOR),
    "host_missing": ProblemCode(503, "The tables of NexusLeads were not found.", _ASK_OPERATOR),
    "encryption_keys_missing": ProblemCode(
        503, "Encryption keys are missing, so webhooks cannot be stored or read.", _ASK_OPERATOR
    ),
    "overloaded": ProblemCode(503, "Too many requests are in progress.", _LATER),
    "not_ready": ProblemCode(503, "The instance is not ready for requests.", _LATER),
}
PROBLEM_CODES: Final[Mapping[str, ProblemCode]] = MappingProxyType(
    {**_OF_CALLER, **_OF_STATE, **_OF_BODY, **_OF_SERVICE}
)


def codes_of(status: int) -> str:
    """Return the codes of a status, for the description of a response."""
    return ", ".join(f"`{code}`" for code, problem in PROBLEM_CODES.items() if problem.status == status)
