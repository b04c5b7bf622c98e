"""The template environment of the console: autoescape on, undefined names are errors, only http links of leads are kept."""

from typing import Final
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined

from clay_push_service.console.pages import words
from clay_push_service.console.pages.mappings.reads import grouped_changes
from clay_push_service.console.pages.navigation import DESTINATION_TABS, MAIN, ROUTE_TABS, SETTINGS
from clay_push_service.console.pages.static_files import static_url
from clay_push_service.console.session.form_token import FIELD


def web_link(url: str | None) -> str | None:
    """The URL if a browser may open it safely. Lead data is untrusted: `javascript:` and other schemes become None."""
    if not url:
        return None
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return None
    return url.strip() if parts.scheme.lower() in {"http", "https"} and parts.netloc else None


def _make() -> Environment:
    environment = Environment(
        loader=PackageLoader("clay_push_service.console", "templates"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, auto_reload=False,
    )  # fmt: skip
    environment.filters.update(
        number=words.number, counted=words.counted, moment=words.moment, day=words.day, duration=words.duration,
        ago=words.ago, actor=words.actor, web_link=web_link, json_text=words.json_text,
        grouped_changes=grouped_changes,
    )  # fmt: skip
    environment.globals.update(
        static=static_url, main_navigation=MAIN, settings_navigation=SETTINGS, form_token_field=FIELD,
        destination_tabs=DESTINATION_TABS, route_tabs=ROUTE_TABS,
    )  # fmt: skip
    return environment


ENVIRONMENT: Final = _make()
