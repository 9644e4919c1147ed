"""What the tests share: tiny models, toy voices, an oracle, simulated devices, the command line."""
