"""A revision in the payload: two keys of `_meta`, and nothing else changes."""

from uuid import UUID, uuid4

import orjson
import pytest

from clay_push_service.leads.payload import MAX_PAYLOAD_BYTES, Payload
from clay_push_service.leads.payload_fields import PayloadError, PayloadProblem
from clay_push_service.leads.revision import Revision, add_revision
from clay_push_service.leads.sample_payload import build_sample
from tests.destinations.moments import NOW

DELIVERY = UUID("7c9e6679-7425-40de-944b-e07fc1f90ae7")


def test_payload_without_a_revision_is_unchanged() -> None:
    payload = build_sample(DELIVERY, NOW)
    assert add_revision(payload, DELIVERY, None) is payload


def test_revision_adds_two_keys_to_meta_and_keeps_the_rest_and_the_hash() -> None:
    payload, first = build_sample(DELIVERY, NOW), uuid4()
    found = add_revision(payload, DELIVERY, Revision(2, first))
    body = orjson.loads(found.body)
    assert (body["_meta"].pop("revision"), body["_meta"].pop("supersedes")) == (2, str(first))
    assert (body, found.hash) == (orjson.loads(payload.body), payload.hash)


def test_payload_that_is_too_large_with_a_revision_is_refused() -> None:
    start = f'{{"_meta":{{"delivery_id":"{DELIVERY}"}},"bio":"'.encode()
    payload = Payload(start + b"x" * (MAX_PAYLOAD_BYTES - len(start) - 2) + b'"}', b"")
    with pytest.raises(PayloadError) as refused:
        add_revision(payload, DELIVERY, Revision(2, uuid4()))
    assert refused.value.cause is PayloadProblem.TOO_LARGE
