"""The configuration: one YAML file, validated once, frozen."""
