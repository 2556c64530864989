"""Found groups that are watched as scopes of their own while a model is served."""
