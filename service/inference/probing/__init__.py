"""The probe of a model at check, start and deploy: the scale of its outputs beside the findings about its rows."""
