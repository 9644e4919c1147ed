"""All that touches onnxruntime: sessions, providers, bound buffers, CUDA graphs, pinned memory, parity."""
