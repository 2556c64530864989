"""Names of the compressed models that the demo can try."""

DEMO_MODELS = ("good_int8", "good_distilled", "bad_pruned98", "bad_distilled_households_only")
DEFAULT_MODEL = DEMO_MODELS[-1]
"""The model that the third act replaces."""
