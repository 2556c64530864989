"""Commands for people: `tightrope status | cost | events | letter`, orders, `deploy` and `rollback`."""
