"""How legible ink is: a recogniser of handwriting, its error rates, and the texts of the test."""
