"""Reads a secret from a hidden prompt, or from standard input. A secret is never an option: options are in process lists and histories."""

import sys

import typer

from clay_push_service.errors import InvalidError


def read_secret(what: str) -> str:
    """On a terminal a prompt that shows nothing; else one line of standard input. Raises 422 if it is empty."""
    if sys.stdin.isatty():
        return str(typer.prompt(what, hide_input=True)).strip()
    found = sys.stdin.readline().strip()
    if not found:
        raise InvalidError(
            f"{what}: standard input has no line for it. Write one line for each secret, in the order of the prompts."
        )
    return found
