"""The overview: the state of all models in words and figures for people, for the page, the command line and scripts."""
