"""`tightrope approve | verify | manifest`."""
