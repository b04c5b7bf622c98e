"""`clay-push openapi`: the API's description, the same whatever the environment says."""

from clay_push_service.settings import Settings
from clay_push_service.web import create_app


def as_yaml() -> str:
    """In the order of the code; PyYAML is a development dependency, like the file this is for."""
    import yaml

    # Built without the environment: the description must not depend on who prints it, and needs no database.
    settings = Settings.model_construct(database_url="postgresql://nobody@localhost/nowhere")
    text: str = yaml.safe_dump(create_app(settings).openapi(), sort_keys=False, allow_unicode=True, width=120)
    return text
