"""The models that the demo puts on trial."""

MODELS = ("bad_distilled_households_only", "good_distilled", "good_int8", "bad_pruned98")
DEFAULT_MODEL = MODELS[0]
