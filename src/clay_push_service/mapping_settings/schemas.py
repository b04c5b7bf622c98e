"""The request and response models of mappings."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StrictBool,
    StrictFloat,
    StrictInt,
    StringConstraints,
)

from clay_push_service.leads.mapping.catalogue import FieldOrigin, MappableField
from clay_push_service.leads.mapping.changes import ColumnChange, ColumnChangeKind, unchanged_notes
from clay_push_service.leads.mapping.columns import MAX_COLUMNS, Column
from clay_push_service.leads.mapping.steps import STEPS
from clay_push_service.leads.mapping.values import ColumnType, EmptyValue
from clay_push_service.mapping_settings.service import MappingSaveResult
from clay_push_service.mappings.assign import AssignResult
from clay_push_service.mappings.store import MappedDestination, StoredMapping

MOST_TEXT = 100_000
"""Bounds the parsing only. The check of the columns refuses shorter limits with the place of the problem."""
EXAMPLE_COLUMN: dict[str, JsonValue] = {
    "key": "greeting",
    "template": 'Hi {full_name:first_word|"there"}',
    "type": "text",
}


def _printable(value: str) -> str:
    if not value.isprintable():
        raise ValueError("must have no line breaks and no control characters")
    return value


Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), AfterValidator(_printable)
]
Text = Annotated[str, StringConstraints(max_length=MOST_TEXT)]


class MappingColumn(BaseModel):
    """One column. Exactly one of `field`, `constant`, `template` and `first_of` defines what it is made from."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE_COLUMN]})

    key: Text = Field(description="The key in the payload: the column's name in Clay. At most 100 characters.")
    field: Text | None = Field(None, description="A field of the catalogue.", examples=["email"])
    constant: Text | StrictBool | StrictInt | StrictFloat | None = Field(
        None, description="The same value for each lead."
    )
    template: Text | None = Field(
        None,
        description='Text with placeholders: `{field}`, `{field:step|other_field|"text"}`. `{{` and `}}` are braces. At most'
        " 8,000 characters.",
    )
    first_of: list[Text] | None = Field(
        None,
        max_length=20,
        description="The first of these that is not empty: fields with steps, or texts in quotation marks.",
    )
    steps: list[Text] = Field(
        default_factory=list,
        max_length=30,
        description="Steps that change the value, in order.",
        examples=[["trim", "truncate(40)"]],
    )
    type: ColumnType = Field(ColumnType.TEXT, description="The type of the column in Clay.")
    empty: EmptyValue = Field(EmptyValue.NULL, description="What an empty value becomes.")

    def column(self) -> Column:
        return Column(
            self.key, self.field, self.constant, self.template, tuple(self.first_of or ()), tuple(self.steps), self.type,
            self.empty,
        )  # fmt: skip

    @classmethod
    def of(cls, column: Column) -> Self:
        return cls(
            key=column.key, field=column.field, constant=column.constant, template=column.template,
            first_of=list(column.first_of) or None, steps=list(column.steps), type=column.type, empty=column.empty,
        )  # fmt: skip


Columns = Annotated[list[MappingColumn], Field(max_length=2 * MAX_COLUMNS)]
"""Bounds the parsing only. The check of the columns refuses more than 120, with its message."""


class NewMapping(BaseModel):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"name": "Outbound", "template": "lean_outbound"}]}
    )

    name: Name = Field(description="Unique in the organization, without regard to case.", examples=["Outbound"])
    columns: Columns | None = Field(None, description="1 to 120 columns in their order; null: those of `template`.")
    template: Annotated[str, StringConstraints(max_length=100)] | None = Field(
        None, description="A table template that it is based on: the key of a built-in one, or the id of your own.",
        examples=["lean_outbound"],
    )  # fmt: skip


class MappingChange(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: Name | None = Field(None, description="Omitted: unchanged.")
    columns: Columns = Field(description="All columns of the new version.")
    version: int | None = Field(
        None, description="The version that you have read: 409 if another one was saved since.", examples=[3]
    )


class UsingDestination(BaseModel):
    id: UUID = Field(description="The destination.")
    label: str = Field(description="Its name.", examples=["Leads table"])

    @classmethod
    def of(cls, used: MappedDestination) -> Self:
        return cls(id=used.destination_id, label=used.label)


class MappingView(BaseModel):
    id: UUID = Field(description="The mapping.")
    name: str = Field(description="Its name.", examples=["Outbound"])
    based_on: str | None = Field(description="The table template that it is based on.")
    version: int = Field(description="Number of the version.", examples=[3])
    version_id: UUID = Field(description="The version, as push jobs name it.")
    columns: list[MappingColumn] = Field(description="The columns in their order. `_meta` comes before them, always.")
    changed_by: str = Field(description="Who saved the version.", examples=["user:alice"])
    changed_at: datetime = Field(description="When the version was saved.")

    @classmethod
    def of(cls, stored: StoredMapping) -> Self:
        return cls(
            id=stored.id, name=stored.name, based_on=stored.based_on, version=stored.number, version_id=stored.version_id,
            columns=[MappingColumn.of(each) for each in stored.parsed], changed_by=stored.created_by,
            changed_at=stored.created_at,
        )  # fmt: skip


class ListedMapping(MappingView):
    used_by: list[UsingDestination] = Field(description="The destinations that send its columns.")


class MappingList(BaseModel):
    mappings: list[ListedMapping] = Field(description="By name, each with its newest version.")


class MappingVersions(BaseModel):
    versions: list[MappingView] = Field(description="Newest first, at most 100.")


class ClayChange(BaseModel):
    """What one column of the new version means in Clay."""

    kind: ColumnChangeKind = Field(description="What changes.")
    key: str = Field(description="The column.", examples=["greeting"])
    before: str | None = Field(description="The former key or type.")
    message: str = Field(description="What to do in Clay.")

    @classmethod
    def of(cls, change: ColumnChange) -> Self:
        return cls(kind=change.kind, key=change.key, before=change.before, message=change.message)


class SavedMapping(ListedMapping):
    changes: list[ClayChange] = Field(
        description="What the version changes in Clay, compared with the version before; for a new mapping, with the standard payload."
    )
    unchanged: list[str] = Field(description="What it does not change, in sentences.")

    @classmethod
    def of_result(cls, result: MappingSaveResult) -> Self:
        return cls(
            **dict(MappingView.of(result.mapping)), used_by=[UsingDestination.of(each) for each in result.used_by],
            changes=[ClayChange.of(each) for each in result.changes], unchanged=unchanged_notes(result.previous_number),
        )  # fmt: skip


class MappingChoice(BaseModel):
    model_config = ConfigDict(extra="forbid")

    mapping_id: UUID | None = Field(description="The mapping whose newest version to use; null: the standard payload.")


class ChosenMapping(BaseModel):
    destination_id: UUID = Field(description="The destination.")
    mapping_id: UUID | None = Field(description="Its mapping; null: the standard payload.")
    version: int | None = Field(description="Number of the version.", examples=[3])
    changes: list[ClayChange] = Field(description="What it changes in Clay.")
    unchanged: list[str] = Field(description="What it does not change, in sentences.")

    @classmethod
    def of(cls, assigned: AssignResult) -> Self:
        mapping = assigned.mapping
        return cls(
            destination_id=assigned.destination_id, mapping_id=None if mapping is None else mapping.id,
            version=None if mapping is None else mapping.number,
            changes=[ClayChange.of(each) for each in assigned.changes], unchanged=unchanged_notes(assigned.before),
        )  # fmt: skip


class CatalogueField(BaseModel):
    name: str = Field(description="As columns and placeholders name it.", examples=["email"])
    type: ColumnType = Field(description="Its type.")
    about: str = Field(description="What it is, in one sentence.")
    sample: Any = Field(description="A sample value.")
    origin: FieldOrigin = Field(description="`clay`: a value that Clay found; it is read when the lead is sent.")
    counts_as_change: bool = Field(description="Whether a change of the value makes a lead “changed since”.")

    @classmethod
    def of(cls, field: MappableField) -> Self:
        sample = (
            dict(field.sample) if field.type is ColumnType.JSON and isinstance(field.sample, Mapping) else field.sample
        )
        return cls(
            name=field.name, type=field.type, about=field.about, sample=sample, origin=field.origin,
            counts_as_change=field.counts,
        )  # fmt: skip


class StepView(BaseModel):
    name: str = Field(description="As columns and placeholders name it.", examples=["truncate"])
    about: str = Field(description="What it does, in one sentence.")
    arguments: list[str] = Field(description="The types of its arguments.", examples=[["number"]])
    required: int = Field(description="How many of them are required.", examples=[1])


class FieldCatalogue(BaseModel):
    fields: list[CatalogueField] = Field(description="All fields that a column can use.")
    steps: list[StepView] = Field(description="All steps.")

    @classmethod
    def of(cls, fields: list[MappableField]) -> Self:
        steps = [
            StepView(
                name=name, about=kind.does, required=kind.required,
                arguments=["number" if each is int else "text" for each in kind.arguments],
            )
            for name, kind in STEPS.items()
        ]  # fmt: skip
        return cls(fields=[CatalogueField.of(each) for each in fields], steps=steps)
