"""Suggests the nearest known name for a misspelled one, for error messages. Pure."""

import difflib
from collections.abc import Iterable
from typing import Final

from clay_push_service.errors import FieldError

LIKENESS: Final = 0.7
"""From 0 to 1, as difflib measures it: `min_skore` is near `min_score`, `score` is not near `source`."""
MAX_CHARACTERS: Final = 64
"""Limit of a compared name; known names are shorter, and the comparison takes quadratic time."""


def near_match(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that differs only in case, hyphens and underscores, else the most similar one, else None."""
    by_plain = {_plain(each): each for each in known if each}
    found = difflib.get_close_matches(_plain(name[:MAX_CHARACTERS]), by_plain, n=1, cutoff=LIKENESS)
    return by_plain[found[0]] if found else None


def unknown_name(field: str, name: str, what: str, known: Iterable[str]) -> FieldError:
    """The error for an unknown name, with the near match or all known names. `what`: such as "a query parameter"."""
    names = list(known)
    meant = near_match(name, names)
    if meant is not None:
        return FieldError(field, f"is not {what} of this request", meant)
    listed = f"known are {', '.join(f'`{each}`' for each in names)}" if names else "there are none"
    return FieldError(field, f"is not {what} of this request; {listed}")


def _plain(name: str) -> str:
    return "".join(character for character in name.casefold() if character.isalnum())
