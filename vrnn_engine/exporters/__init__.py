"""Convert a checkpoint to a voice: graphs, weights file, manifest and parity vectors; needs PyTorch and onnx."""
