"""Incidents away from the process that judged: their record, its replay, and what other limits would have done."""
