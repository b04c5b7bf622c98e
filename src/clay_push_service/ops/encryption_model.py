"""The part of the `/status` document about encryption keys."""

from pydantic import BaseModel, Field

from clay_push_service.ops.ring import RingCheck


class SealedModel(BaseModel):
    key_id: str | None = Field(description="The encryption key; null: the format of the values is unknown.")
    destinations: int = Field(
        description="Destinations with values sealed by this key, including earlier versions and pending changes."
    )
    in_use: int = Field(description="Destinations whose current webhook or token is sealed by this key.")
    in_ring: bool | None = Field(description="Whether this process has the key; null: unknown.")


class EncryptionModel(BaseModel):
    checked: bool = Field(description="False: this process has no encryption keys and cannot check.")
    ring: list[str] = Field(description="Ids of this process's keys; the first one seals new values.")
    missing: list[str] = Field(description="Ids of keys that stored values need and this process lacks.")
    sealed_with: list[SealedModel] = Field(description="Keys that stored values are sealed with, with counts.")


def encryption_of(check: RingCheck) -> EncryptionModel:
    return EncryptionModel(
        checked=check.is_checked,
        ring=list(check.ring or ()),
        missing=[each.key_id for each in check.missing if each.key_id],
        sealed_with=[
            SealedModel(key_id=each.key_id, destinations=each.destinations, in_use=each.in_use, in_ring=check.has(each))
            for each in check.sealed
        ],
    )
