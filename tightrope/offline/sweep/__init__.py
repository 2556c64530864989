"""`tightrope sweep`: many variants of one baseline are judged by the same criteria, and one is recommended."""
