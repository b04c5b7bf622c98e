"""The HTTP process: what every request passes, how errors are rendered, which routers are mounted. It holds no rule."""

from clay_push_service.web.app import create_app

__all__ = ["create_app"]
