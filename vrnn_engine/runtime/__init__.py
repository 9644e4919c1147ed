"""Steps a voice as a live stream: numpy and onnxruntime only."""
