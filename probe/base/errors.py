"""The exception for errors that a person can fix; the command line prints it in one line."""

from __future__ import annotations


class UserError(Exception):
    """An error that a person can fix. The message names the thing (key, file, port) and says what to do.

    `code` is the exit code of the command that fails with it.
    """

    code = 2

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
