"""The request and response models of table templates."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from clay_push_service.leads.mapping.table_templates import HttpColumn
from clay_push_service.mapping_settings.schemas import Columns, MappingColumn, Name
from clay_push_service.mapping_settings.templates import ListedTemplate

About = Annotated[str, StringConstraints(strip_whitespace=True, max_length=500, pattern=r"^[^\x00]*$")]


class ClayStep(BaseModel):
    does: str = Field(description="What to do in Clay.")
    copied: str | None = Field(description="Text to copy; null: none.")


class HttpApiColumn(BaseModel):
    """The settings of the column of type HTTP API that sends each row back."""

    method: str = Field(description="Its method.", examples=["POST"])
    headers: dict[str, str] = Field(description="Its headers; the token is the secret of a results token.")
    body: str = Field(description="Its body. Names in angle brackets are columns to pick in Clay.")
    retry_on: list[int] = Field(description="Statuses to add to “retry on”.", examples=[[500, 502, 503]])

    @classmethod
    def of(cls, column: HttpColumn) -> Self:
        return cls(method=column.method, headers=dict(column.headers), body=column.body, retry_on=list(column.retry_on))


class TableTemplateView(BaseModel):
    key: str = Field(
        description="For `template` of a new mapping; of your own templates the id.", examples=["lean_outbound"]
    )
    name: str = Field(description="Its name.", examples=["Lean outbound"])
    about: str = Field(description="What it is for.")
    built_in: bool = Field(description="Whether it comes with the service.")
    columns: list[MappingColumn] = Field(description="Its columns in their order.")
    dedupe_column: str | None = Field(description="The column by which the table removes duplicates; null: none.")
    setup: list[ClayStep] = Field(description="What to do in Clay, in order.")
    http_column: HttpApiColumn | None = Field(description="The column that sends rows back; null: none.")
    saved_by: str | None = Field(description="Who saved it; null: built in.")
    saved_at: datetime | None = Field(description="When it was saved; null: built in.")

    @classmethod
    def of(cls, listed: ListedTemplate) -> Self:
        template = listed.template
        column = template.http_column
        return cls(
            key=template.key, name=template.name, about=template.about, built_in=listed.saved_by is None,
            columns=[MappingColumn.of(each) for each in template.columns], dedupe_column=template.dedupe_column,
            setup=[ClayStep(does=each.does, copied=each.copied) for each in template.steps],
            http_column=None if column is None else HttpApiColumn.of(column), saved_by=listed.saved_by,
            saved_at=listed.saved_at,
        )  # fmt: skip


class TableTemplateList(BaseModel):
    templates: list[TableTemplateView] = Field(description="Built-in ones first, then your own by name.")


class TableTemplateBody(BaseModel):
    """`mapping_id`, or `columns` such as those of an exported template."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"name": "Ours", "columns": [{"key": "name", "field": "full_name"}]}]},
    )

    name: Name = Field(description="Unique in the organization, without regard to case.", examples=["Ours"])
    about: About = Field("", description="What it is for.")
    mapping_id: UUID | None = Field(None, description="Take the columns of this mapping.")
    columns: Columns | None = Field(None, description="Take these columns.")
    dedupe_column: Annotated[str, StringConstraints(max_length=100)] | None = Field(
        None, description="The key of the column by which the table removes duplicates."
    )

    @model_validator(mode="after")
    def _require_one_source(self) -> Self:
        if (self.columns is None) == (self.mapping_id is None):
            raise ValueError("send mapping_id or columns, not both")
        return self
