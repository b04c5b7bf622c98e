"""`clay-push openapi`: the API's description, the same whatever the environment says."""

import json

from clay_push_service.api.app import create_app
from clay_push_service.settings import Settings


def as_yaml() -> str:
    """In the order of the code. Without PyYAML, a development dependency, as JSON: every JSON document is YAML, too."""
    # Built without the environment: the description must not depend on who prints it, and needs no database.
    settings = Settings.model_construct(database_url="postgresql://nobody@localhost/nowhere")
    description = create_app(settings).openapi()
    try:
        import yaml
    except ImportError:
        return json.dumps(description, indent=2, ensure_ascii=False) + "\n"
    text: str = yaml.safe_dump(description, sort_keys=False, allow_unicode=True, width=120)
    return text
