"""The record of the judgement on disk: states, the inputs of the fold after them, and the incidents among these."""
