"""The page at `/` for people: who is served by which model, and why. Its files, and how they are served."""
