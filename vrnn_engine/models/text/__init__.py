"""The parts of text-conditioned models: attention over characters, recurrent layers over sequences, states."""
