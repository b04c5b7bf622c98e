"""Tests of the sandbox over real sockets: limits, faults, stored rows and page."""
