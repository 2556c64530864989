"""`tightrope qualify`: a pair is judged by criteria fixed in advance, and the verdict becomes a statement."""
