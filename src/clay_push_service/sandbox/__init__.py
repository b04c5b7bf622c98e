"""The sandbox: a stand-in for Clay with Clay's real limits and configurable faults. It imports nothing of the service."""

from clay_push_service.sandbox.server import DEFAULT_SOURCE, Options, Ready, run, serve

__all__ = ["DEFAULT_SOURCE", "Options", "Ready", "run", "serve"]
