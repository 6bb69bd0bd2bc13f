"""What tests, the demo and the fault runs share: fakes, synthetic citizens, the ledger."""
