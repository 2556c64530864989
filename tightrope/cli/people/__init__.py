"""Commands for people: `tightrope status | events | force-safe | force-normal | release | deploy | rollback`."""
