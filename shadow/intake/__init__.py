"""The intake of a judge's round: records that belong together, what is not plausible, and what is refused."""
