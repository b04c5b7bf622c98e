"""Tests of the sandbox over sockets: limits, faults, stored rows and page."""
