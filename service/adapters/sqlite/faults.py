"""Errors of SQLite by their cause: a file that cannot be used now, or a value that no file could take."""

import sqlite3

VALUE_ERRORS = (sqlite3.DataError, sqlite3.IntegrityError, sqlite3.InterfaceError, sqlite3.NotSupportedError)
"""Errors that the same value causes again on another file."""


def is_file_error(error: BaseException) -> bool:
    """Whether the file is the cause: it is locked, full, damaged, read-only or closed."""
    return isinstance(error, sqlite3.Error) and not isinstance(error, VALUE_ERRORS)
