"""The definition of a monitor, which the catalogue fills."""
