"""The counts of drawn disagreements that wait for their label, for the time after the judge begins again.

A judge of a cluster begins again after an outage of Kafka, and restores the rows that wait from the log. The rows that
lie between two drawn disagreements are counted as they are judged, not as they are restored: without that count the
label of a restored disagreement says nothing about them, and counts as undrawn.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace

from tightrope.monitors.label_records import PendingRow, RowKey
from tightrope.service.adapters.ports import PendingChanges


class CountedRows:
    """Remembers the counts of the rows that wait, in memory: those of another process are not known."""

    def __init__(self) -> None:
        self._rows: defaultdict[str, dict[RowKey, PendingRow]] = defaultdict(dict)

    def complete(self, pending: Mapping[str, PendingChanges]) -> None:
        """Give restored rows the counts that they had, and remember those of new ones until their label comes or they
        are given up. A row that was compared under another plan, or other added scopes, stays without.
        """
        for model, changes in pending.items():
            known = self._rows[model]
            for key, row in changes.held.items():
                if row.agreed:
                    known[key] = row
                elif (before := known.get(key)) is not None and before.digest == row.digest:
                    changes.held[key] = replace(row, agreed=before.agreed, request_rows=before.request_rows)
            for key in changes.joined:
                known.pop(key, None)
            if changes.before > float("-inf"):
                self._rows[model] = {key: row for key, row in known.items() if row.time >= changes.before}
