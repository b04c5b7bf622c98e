"""Chooses NexusLeads' table names (vintage) and billing for tests that do not choose them: both alternate over the tests.

A hash of the test's id decides, so that a test gets the same combination in every run. TEST_VINTAGE (`2026-02` or `today`)
and TEST_BILLING (`on` or `off`) override it; `make test-matrix` runs all four combinations.
"""

import os
import zlib

from clay_push_service.host.columns import Vintage

BILLING = {"on": True, "off": False}


def chosen_vintage() -> Vintage:
    given = os.environ.get("TEST_VINTAGE")
    return Vintage(given) if given else list(Vintage)[_hash_of_test() & 1]


def chosen_billing() -> bool:
    """Whether BILLING_ENABLED is on; every organization of the test is then on the Enterprise plan."""
    given = os.environ.get("TEST_BILLING")
    return BILLING[given] if given else bool(_hash_of_test() & 2)


def _hash_of_test() -> int:
    """Of the running test's id in pytest's variable: `tests/a.py::test_b[c] (setup)`."""
    return zlib.crc32(os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0].encode())
