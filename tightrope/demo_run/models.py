"""Names of the compressed models that the demo can try."""

DEMO_MODELS = ("bad_distilled_households_only", "good_distilled", "good_int8", "bad_pruned98")
DEFAULT_MODEL = DEMO_MODELS[0]
