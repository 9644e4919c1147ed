"""Reads an ONNX file without onnxruntime, and checks what its graph may do before a session is made of it."""
