"""An exclusion of a mail provider's domain is accepted with a warning: it keeps unrelated people from Clay."""

import pytest

from clay_push_service.routing.domain import FREE_MAIL, parse_domain, warning_of
from tests.harness.api import Api

PATH = "/api/clay/exclusions"


@pytest.mark.parametrize(("domain", "is_warned"), [("gmail.com", True), ("acme.com", False), (None, False)])
def test_only_domains_of_mail_providers_have_a_warning(domain: str | None, *, is_warned: bool) -> None:
    assert (warning_of(domain) is not None) is is_warned


def test_the_listed_domains_are_written_as_they_are_stored() -> None:
    for each in FREE_MAIL:
        parsed = parse_domain(each)
        assert parsed is not None
        assert parsed.name == each


async def test_the_response_has_the_warning_also_the_second_time(app_client: Api) -> None:
    for status in (201, 200):
        added = await app_client.call("POST", PATH, {"domain": "@Gmail.com", "reason": "r"}, status=status)
        assert added["warning"].startswith("gmail.com belongs to a mail provider")
    other = await app_client.call("POST", PATH, {"domain": "acme.com", "reason": "r"}, status=201)
    address = await app_client.call("POST", PATH, {"email": "jane@gmail.com", "reason": "r"}, status=201)
    assert (other["warning"], address["warning"]) == (None, None)
