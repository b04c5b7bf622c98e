"""Table templates: lists the built-in ones and an organization's own, saves and removes own ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.audit import audit
from clay_push_service.callers.actor import Actor
from clay_push_service.errors import ConflictError, InvalidError, NotFoundError
from clay_push_service.leads.mapping.columns import Column
from clay_push_service.leads.mapping.table_templates import TEMPLATES, TableTemplate
from clay_push_service.mapping_settings.service import require_valid
from clay_push_service.mappings import store
from clay_push_service.mappings.store import StoredTemplate

MAX_TEMPLATES = 100


@dataclass(frozen=True, slots=True)
class ListedTemplate:
    """`saved_by` and `saved_at`: None for a built-in template."""

    template: TableTemplate
    saved_by: str | None = None
    saved_at: datetime | None = None


async def list_templates(connection: AsyncConnection, org_id: UUID) -> list[ListedTemplate]:
    """Returns the built-in templates first."""
    own = await store.TEMPLATES.rows(connection, {"org_id": org_id, "id": None})
    return [*(ListedTemplate(each) for each in TEMPLATES.values()), *(_own(each) for each in own)]


async def find_template(connection: AsyncConnection, org_id: UUID, key: str) -> ListedTemplate:
    """Finds a built-in template by its key, or an own template by its id. Raises 404 `template_not_found`."""
    if key in TEMPLATES:
        return ListedTemplate(TEMPLATES[key])
    try:
        template_id = UUID(key)
    except ValueError:
        raise _not_found() from None
    found = await store.TEMPLATES.one_or_none(connection, {"org_id": org_id, "id": template_id})
    if found is None:
        raise _not_found()
    return _own(found)


async def save_template(
    connection: AsyncConnection,
    actor: Actor,
    name: str,
    about: str,
    columns: Sequence[Column],
    dedupe_column: str | None,
) -> ListedTemplate:
    """Raises 422 for columns, 409 `name_in_use` or `too_many_templates`."""
    await require_valid(connection, actor.org_id, columns)
    if dedupe_column is not None and dedupe_column not in {each.key for each in columns}:
        message = "is not the key of a column"
        raise InvalidError(f"dedupe_column {message}.", errors=[{"field": "dedupe_column", "message": message}])
    if await store.COUNT_TEMPLATES.one(connection, {"org_id": actor.org_id}) >= MAX_TEMPLATES:
        raise ConflictError(f"An organization can have at most {MAX_TEMPLATES} templates.", code="too_many_templates")
    template_id = uuid4()
    values = {
        "id": template_id, "org_id": actor.org_id, "name": name, "about": about, "dedupe_column": dedupe_column,
        "columns": store.write_columns(columns), "created_by": actor.name,
    }  # fmt: skip
    built_in = {each.name.lower() for each in TEMPLATES.values()}
    if name.lower() in built_in or await store.INSERT_TEMPLATE.one_or_none(connection, values) is None:
        raise ConflictError("Another template has this name. Choose another name.", code="name_in_use")
    details = {"template_id": str(template_id), "name": name}
    await audit(connection, actor.org_id, actor.name, "table_template.saved", details)
    return await find_template(connection, actor.org_id, str(template_id))


async def remove_template(connection: AsyncConnection, actor: Actor, template_id: UUID) -> None:
    """Removes a template. Mappings that are based on it stay. Raises 404 `template_not_found`."""
    values = {"org_id": actor.org_id, "id": template_id}
    if await store.DELETE_TEMPLATE.one_or_none(connection, values) is None:
        raise _not_found()
    details = {"template_id": str(template_id)}
    await audit(connection, actor.org_id, actor.name, "table_template.removed", details)


def _own(stored: StoredTemplate) -> ListedTemplate:
    columns = store.read_columns(stored.columns)
    template = TableTemplate(str(stored.id), stored.name, stored.about, columns, stored.dedupe_column, ())
    return ListedTemplate(template, stored.created_by, stored.created_at)


def _not_found() -> NotFoundError:
    return NotFoundError(
        "There is no table template with this key, and your organization has none with this id.",
        code="template_not_found",
    )
