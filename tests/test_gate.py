"""Tests each row of the feature document's section 7.1 on the gate."""

import pytest

from clay_push_service.gate import ENTERPRISE_REQUIRED, MESSAGE, Gate, gate


@pytest.mark.parametrize(
    ("billing_enabled", "is_enterprise", "available"),
    [(False, False, True), (False, True, True), (True, False, False), (True, True, True)],
)
def test_clay_is_available_to_all_without_billing_and_to_enterprise_with_billing(
    billing_enabled: bool, is_enterprise: bool, available: bool
) -> None:
    answer = gate(billing_enabled=billing_enabled, is_enterprise=is_enterprise)
    assert answer == (Gate(available=True) if available else Gate(False, ENTERPRISE_REQUIRED, MESSAGE))


def test_the_upgrade_message_is_that_of_the_feature_document() -> None:
    assert MESSAGE == "Clay integration is available on the Enterprise plan. Contact us to upgrade."
