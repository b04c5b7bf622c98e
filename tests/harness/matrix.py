"""Chooses NexusLeads' table names (vintage) and billing for tests that do not choose them, evenly over all tests.

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
    """Returns whether BILLING_ENABLED is on. If it is, every organization of the test is on the Enterprise plan."""
    given = os.environ.get("TEST_BILLING")
    return BILLING[given] if given else bool(_hash_of_test() & 2)


def _hash_of_test() -> int:
    """Hashes the running test's id, which pytest stores in an environment variable: `tests/a.py::test_b[c] (setup)`."""
    return zlib.crc32(os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0].encode())
