"""The record of the judgement, where the configuration asks for one."""
