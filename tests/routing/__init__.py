"""Tests of the exclusions."""
