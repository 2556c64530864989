"""Commands for people: `tightrope status | cost | events | force-safe | force-normal | release | deploy | rollback`."""
