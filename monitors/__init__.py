"""The judgement: pure functions over records. No clock, no socket, no file, no log, no environment; numpy only."""
