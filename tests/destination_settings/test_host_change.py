"""The effect of a change on the host's settings page. One pure function decides; the sweep and writes apply it, and a read reports it."""

from dataclasses import replace

import pytest

from clay_push_service.destination_settings.config_change import UNCHANGED
from clay_push_service.destination_settings.host_change import (
    SALT_BYTES,
    Decision,
    Stored,
    WebhookStep,
    compare,
    decide,
    fingerprint,
)
from clay_push_service.destination_settings.host_problem import BAD_RATE, NO_KEYS, NOT_APPLIED, SMALL_RATE, problem_of
from clay_push_service.destinations.secret_box import generate_key
from clay_push_service.host.org_settings import NO_SETTINGS, ClaySettings
from clay_push_service.settings import Settings, load
from tests.harness.api import OTHER_WEBHOOK, WEBHOOK
from tests.harness.settings import JWT_SECRET

REFUSED = "https://evil.example/x"
SALT = bytes(SALT_BYTES)
PRESENT = ClaySettings(WEBHOOK, "Leads", "350")


def settings(**values: object) -> Settings:
    known: dict[str, object] = {"database_url": "postgresql://x/y", "jwt_secret": JWT_SECRET, "billing_enabled": False}
    return load(None, **(known | {"encryption_keys": generate_key()} | values))


SETTINGS = settings()


def stored(host: ClaySettings | None = PRESENT, *, refused: bool = False, **values: object) -> Stored:
    """The stored settings. `host` is the page's values at that time, or None if the page was never read."""
    known = None if host is None else fingerprint(host, SALT, refused=refused)
    usual = Stored(True, known, "host", lambda: WEBHOOK, had_webhook=True, table_name="Leads", rate_limit_ms=350)
    return replace(usual, **values)  # type: ignore[arg-type]  # any field


def decided(host: ClaySettings, known: Stored, **values: object) -> Decision:
    return decide(host, known, settings(**values) if values else SETTINGS)


def problem(decision: Decision) -> str | None:
    return problem_of(decision, SETTINGS)


def test_an_unchanged_page_changes_nothing() -> None:
    decision = decided(PRESENT, stored())
    assert (decision.stores, decision.is_visible, problem(decision)) == (False, False, None)
    assert not decided(NO_SETTINGS, Stored()).stores


def test_the_first_webhook_is_used_with_its_name_and_pace() -> None:
    decision = decided(PRESENT, Stored())
    assert (decision.stores, decision.webhook, decision.saves_webhook) == (True, WebhookStep.SAVE, True)
    assert (decision.table_name, decision.rate_limit_ms) == ("Leads", 350)
    assert problem(decision) == NOT_APPLIED


def test_without_an_encryption_key_the_first_webhook_is_not_stored() -> None:
    decision = decided(PRESENT, Stored(), encryption_keys="")
    assert (decision.stores, decision.lacks_keys, problem(decision)) == (False, True, NO_KEYS)


@pytest.mark.parametrize(
    ("host", "known", "step", "reported"),
    [
        (replace(PRESENT, webhook_url=OTHER_WEBHOOK), stored(), WebhookStep.PROPOSE, "name another webhook"),
        (replace(PRESENT, webhook_url=None), stored(), WebhookStep.PROPOSE_REMOVAL, "was removed"),
        (replace(PRESENT, webhook_url=None), stored(source="api"), WebhookStep.WITHDRAW, None),
        (replace(PRESENT, webhook_url=REFUSED), stored(), WebhookStep.WITHDRAW, "is not used"),
        (PRESENT, stored(replace(PRESENT, webhook_url=OTHER_WEBHOOK)), WebhookStep.SAVE, None),
        (PRESENT, stored(source=None, unseal_url=lambda: None), WebhookStep.KEEP, None),
        (PRESENT, stored(NO_SETTINGS, source=None, unseal_url=lambda: None), WebhookStep.PROPOSE, "another webhook"),
        (PRESENT, stored(unseal_url=lambda: None), WebhookStep.KEEP, None),
        (PRESENT, stored(refused=True, source="api", unseal_url=lambda: OTHER_WEBHOOK), WebhookStep.KEEP, None),
        (PRESENT, stored(refused=True, unseal_url=lambda: OTHER_WEBHOOK), WebhookStep.PROPOSE, "another webhook"),
    ],
    ids=[
        "another URL is proposed", "a removal is proposed", "a webhook saved here stays",
        "a refused URL replaces nothing", "the present URL comes back", "an old URL does not return after a removal here",
        "a new URL after a removal here is proposed", "a lost key changes nothing",
        "a URL that is allowed now does not replace one saved here", "a URL that is allowed now is proposed",
    ],
)  # fmt: skip
def test_a_change_of_the_webhook(host: ClaySettings, known: Stored, step: WebhookStep, reported: str | None) -> None:
    decision = decided(host, known)
    assert (decision.webhook, decision.table_name, decision.rate_limit_ms) == (step, UNCHANGED, UNCHANGED)
    assert reported in str(problem(decision)) if reported else problem(decision) is None


def test_settings_saved_before_the_first_read_of_the_page_take_precedence() -> None:
    decision = decided(replace(PRESENT, webhook_url=OTHER_WEBHOOK, table_name="Old"), stored(None, source="api"))
    assert decision.stores, "the page's values must be stored, so that a later change is detected"
    assert (decision.webhook, decision.table_name, decision.is_visible) == (WebhookStep.KEEP, UNCHANGED, False)


def test_a_refusal_is_stored_once_and_reported_until_it_ends() -> None:
    host = replace(PRESENT, webhook_url=REFUSED)
    first = decided(host, stored())
    again = decided(host, stored(host, refused=True))
    assert (first.stores, first.is_new_refusal, again.stores) == (True, True, False)
    assert problem(first) == problem(again)
    assert not decided(host, stored(host, refused=True), allowed_webhook_hosts="evil.example").refusal


@pytest.mark.parametrize(
    ("written", "used", "reported"),
    [("400", 400, NOT_APPLIED), (None, 200, NOT_APPLIED), ("50", 100, f"{NOT_APPLIED} {SMALL_RATE}"), ("fast", UNCHANGED, BAD_RATE)],
)  # fmt: skip
def test_a_changed_pace_is_applied_immediately(written: str | None, used: object, reported: str) -> None:
    decision = decided(replace(PRESENT, rate_limit_ms=written), stored())
    assert (decision.stores, decision.webhook, decision.rate_limit_ms) == (True, WebhookStep.KEEP, used)
    assert problem(decision) == reported


def test_a_table_name_of_a_pending_webhook_is_pending_too() -> None:
    host = replace(PRESENT, webhook_url=OTHER_WEBHOOK)
    known = stored(host, has_pending=True, pending_mask="https://api.clay.com/v3/…/••••0ae7")
    decision = decided(replace(host, table_name="Of the other", rate_limit_ms="400"), known)
    assert (decision.table_name, decision.rate_limit_ms) == (UNCHANGED, 400)
    assert "••••0ae7" in str(problem(decision))
    removal = stored(replace(PRESENT, webhook_url=None), has_pending=True)
    assert decided(ClaySettings(None, "Renamed", "350"), removal).table_name == "Renamed"


def test_a_pending_change_is_withdrawn_when_the_page_no_longer_contains_it() -> None:
    known = stored(replace(PRESENT, webhook_url=OTHER_WEBHOOK), has_pending=True, pending_mask="••••0ae7")
    decision = decided(PRESENT, known)
    assert (decision.webhook, decision.is_present, problem(decision)) == (WebhookStep.SAVE, True, NOT_APPLIED)


def test_name_and_pace_without_webhook_and_destination_are_stored_only_by_a_write() -> None:
    decision = decided(ClaySettings(None, "Leads", "350"), Stored())
    assert (decision.stores, decision.is_for_writes_only, decision.is_visible) == (True, True, False)
    assert not decided(PRESENT, Stored()).is_for_writes_only


def test_a_fingerprint_shows_which_value_changed_and_no_value() -> None:
    known = fingerprint(PRESENT, SALT, refused=True)
    assert WEBHOOK.encode() not in known
    seen = compare(replace(PRESENT, table_name=None), known)
    assert (seen.webhook_url, seen.table_name, seen.rate_limit_ms, seen.refused) == (True, False, True, True)
    assert fingerprint(PRESENT, b"1" * SALT_BYTES, refused=True)[SALT_BYTES:] != known[SALT_BYTES:]
    assert not compare(PRESENT, known[:-1]).webhook_url, "a fingerprint of another format counts as changed"
