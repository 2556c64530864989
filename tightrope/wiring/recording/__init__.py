"""The record of the judgement, where the configuration asks for one, and the watches over it and the audit trail."""
