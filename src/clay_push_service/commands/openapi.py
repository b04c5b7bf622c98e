"""`clay-push openapi`: prints the OpenAPI description, which does not depend on the environment."""

import json
from typing import Any

from clay_push_service.api.app import create_app
from clay_push_service.settings import Settings


def describe() -> dict[str, Any]:
    """The description. Built without environment variables, and without a database: it is the same everywhere."""
    settings = Settings.model_construct(database_url="postgresql://unused@localhost/unused")
    return create_app(settings).openapi()


def as_yaml() -> str:
    """Keeps the order of the code. Without PyYAML, a development dependency, returns JSON, which is valid YAML."""
    description = describe()
    try:
        import yaml
    except ImportError:
        return json.dumps(description, indent=2, ensure_ascii=False) + "\n"
    text: str = yaml.safe_dump(description, sort_keys=False, allow_unicode=True, width=120)
    return text
