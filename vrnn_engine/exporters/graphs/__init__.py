"""ONNX graphs: traced from PyTorch, with the same bits for each row of a batch, and written with one weights file."""
