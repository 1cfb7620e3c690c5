"""What a person did wrong, or must put right, as one exception that the command line prints in one line."""

from __future__ import annotations


class UserError(Exception):
    """A refusal that a person can act on. The message names the thing (key, file, port) and says what to do.

    `code` is the exit code of the command that it ends.
    """

    code = 2

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
