"""A stand-in Clay with Clay's real limits and faults on demand; it imports nothing of the service it stands in for."""

from clay_push_service.sandbox.server import DEFAULT_SOURCE, Options, Ready, run, serve

__all__ = ["DEFAULT_SOURCE", "Options", "Ready", "run", "serve"]
