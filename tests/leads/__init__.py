"""Tests of the filters and the payload, without a database."""
