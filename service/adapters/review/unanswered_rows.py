"""Rows under review without an answer that are not to be asked any more: their label came from elsewhere, or would not
count.
"""

from collections.abc import Collection

from tightrope.monitors.label_records import RowKey
from tightrope.service.adapters.sqlite.review_table import ReviewTable

_UNANSWERED = "NOT EXISTS (SELECT 1 FROM opinions WHERE opinions.id = rows.id)"


def has_room(table: ReviewTable, model: str, most: int) -> bool:
    """Whether fewer than ``most`` rows of a model wait.

    Raises:
        UnavailableError: when the disk fails.
    """
    with table.transaction() as db:
        query = "SELECT count(*) FROM rows WHERE model = ? AND document IS NOT NULL"
        return int(db.execute(query, (model,)).fetchone()[0]) < most


def is_known(table: ReviewTable, model: str, key: RowKey) -> bool:
    """Whether a row waits already, or was answered.

    Raises:
        UnavailableError: when the disk fails.
    """
    with table.transaction() as db:
        query = "SELECT 1 FROM rows WHERE model = ? AND request_id = ? AND row = ?"
        return db.execute(query, (model, *key)).fetchone() is not None


def drop_rows(table: ReviewTable, model: str, keys: Collection[RowKey]) -> int:
    """Delete those of these rows without an answer; returns their number.

    Raises:
        UnavailableError: when the disk fails.
    """
    with table.transaction() as db:
        query = f"DELETE FROM rows WHERE model = ? AND request_id = ? AND row = ? AND {_UNANSWERED}"  # noqa: S608 - no input
        return db.executemany(query, [(model, *key) for key in keys]).rowcount if keys else 0


def abandon_rows(table: ReviewTable, model: str) -> int:
    """Delete all rows of a model without an answer, and the inputs of the others; returns the number of the former.

    Raises:
        UnavailableError: when the disk fails.
    """
    with table.transaction() as db:
        dropped = db.execute(f"DELETE FROM rows WHERE model = ? AND {_UNANSWERED}", (model,)).rowcount  # noqa: S608 - no input
        db.execute("UPDATE rows SET document = NULL WHERE model = ? AND document IS NOT NULL", (model,))
    return dropped
