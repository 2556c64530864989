"""The digest of criteria that were fixed before the data were read."""

import hashlib
from collections.abc import Mapping

import msgspec


def criteria_digest(resolved: Mapping[str, object]) -> str:
    """The SHA-256 of the resolved criteria as JSON with sorted keys, without spaces, in UTF-8.

    >>> criteria_digest({"confidence": 0.95, "criteria": {"disagreement": {"model": 0.07, "subgroups": 0.1}}})
    '32371c28515ca4d428f3e5cee343e31a2fc147bfc1d8e35234321e164e768197'
    """
    return hashlib.sha256(msgspec.json.encode(resolved, order="sorted")).hexdigest()
