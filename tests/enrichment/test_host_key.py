"""What a change of the API key on NexusLeads' page does: the decision as a table, without a database."""

import pytest

from clay_push_service.enrichment.settings.host_key import (
    SALT_BYTES,
    KeyDecision,
    KeyStep,
    StoredKey,
    decide,
    fingerprint,
    is_same,
)
from clay_push_service.enrichment.settings.table import KeySource

OLD, NEW, OURS = "key_old_0123456789", "key_new_0123456789", "key_ours_0123456789"
SALT = bytes(range(SALT_BYTES))


def stored(
    seen: str | None = "never",
    source: KeySource | None = None,
    key: str | None = None,
    *,
    had_key: bool | None = None,
    has_pending: bool = False,
) -> StoredKey:
    """`seen`: the page's value that was read last; "never": it was not read."""
    return StoredKey(
        exists=True,
        fingerprint=None if seen == "never" else fingerprint(seen, SALT),
        source=source,
        had_key=source is not None if had_key is None else had_key,
        has_pending=has_pending,
        open_key=lambda: key,
    )


HOST, API = KeySource.HOST, KeySource.API
TABLE: list[tuple[str, str | None, StoredKey, KeyStep, bool]] = [
    ("nothing there, nothing here", None, StoredKey(), KeyStep.KEEP, False),
    ("the first key", NEW, StoredKey(), KeyStep.SAVE, True),
    ("the first key, after other settings", NEW, stored(), KeyStep.SAVE, True),
    ("the first key, after the page was read empty", NEW, stored(None), KeyStep.SAVE, True),
    ("the key that was read before", NEW, stored(NEW, HOST, NEW), KeyStep.KEEP, False),
    ("an old value of the page after a change here", OLD, stored(OLD, API, OURS), KeyStep.KEEP, False),
    ("a key that was saved here before the page was read", OLD, stored("never", API, OURS), KeyStep.KEEP, True),
    ("another key", NEW, stored(OLD, HOST, OLD), KeyStep.PROPOSE, True),
    ("another key than ours", NEW, stored(None, API, OURS), KeyStep.PROPOSE, True),
    ("another key, after ours was removed", NEW, stored(OLD, had_key=True), KeyStep.PROPOSE, True),
    ("our own key", OURS, stored(OLD, API, OURS), KeyStep.KEEP, True),
    ("our own key again, while another waits", OURS, stored(NEW, API, OURS, has_pending=True), KeyStep.WITHDRAW, True),
    ("the removal of the key from the page", None, stored(OLD, HOST, OLD), KeyStep.PROPOSE_REMOVAL, True),
    ("the removal of a key that is not in use", None, stored(OLD, API, OURS), KeyStep.KEEP, True),
    ("the removal of a key that waits", None, stored(NEW, API, OURS, has_pending=True), KeyStep.WITHDRAW, True),
    ("an unreadable present key", NEW, stored(OLD, HOST, None), KeyStep.PROPOSE, True),
]


@pytest.mark.parametrize(("key", "before", "step", "stores"), [each[1:] for each in TABLE], ids=[t[0] for t in TABLE])
def test_a_change_of_the_page(key: str | None, before: StoredKey, step: KeyStep, stores: bool) -> None:
    assert decide(key, before) == KeyDecision(step, stores)


@pytest.mark.parametrize("key", [f'"{NEW}"', f" {NEW}", f"{NEW}\n", f"'{NEW}'"])
def test_a_key_with_surrounding_text_is_not_used(key: str) -> None:
    for before, step in (
        (StoredKey(), KeyStep.KEEP),
        (stored(OLD, HOST, OLD), KeyStep.KEEP),
        (stored(OLD, HOST, OLD, has_pending=True), KeyStep.WITHDRAW),
        (stored(key, HOST, OLD), KeyStep.KEEP),
    ):
        decision = decide(key, before)
        assert decision.step is step
        assert decision.malformed == "has spaces or quotes around it. Ensure there are no extra spaces or quotes."
        assert decision.stores is (before.exists and not is_same(key, before.fingerprint))


def test_a_fingerprint_distinguishes_a_missing_key_from_an_empty_one_and_contains_no_key() -> None:
    kept = fingerprint(NEW, SALT)
    assert is_same(NEW, kept)
    assert not is_same(OLD, kept)
    assert not is_same(None, fingerprint("", SALT))
    assert not is_same(NEW, None)
    assert not is_same(NEW, b"cut")
    assert NEW.encode() not in kept
    assert kept != fingerprint(NEW, bytes(SALT_BYTES))
