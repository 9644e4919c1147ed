"""Imports onnxruntime.  All other modules take `ort` from here, so that what must precede its import has one place."""

import onnxruntime as ort

__all__ = ["ort"]
