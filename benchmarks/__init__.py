"""Commands that measure what is promised, and print it as tables."""
