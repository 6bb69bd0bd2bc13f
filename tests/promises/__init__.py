"""Which test proves which promise of ``docs/promises.md``, and the command that runs these proofs."""
