"""Corpora: from recordings and ink files on disk to batches of normalised frames."""
