"""The ledger: what each model cost by day, kept over restarts."""
