"""Checkpoint -> voice: step and observe graphs, weights file, manifest, parity (PyTorch and onnx)."""
