"""The history of a model across configurations and artefacts."""
