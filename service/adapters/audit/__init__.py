"""The audit trail's hash chain: links between events, signed seals over them, and the walk that checks both."""
