"""Sound devices: PortAudio, the ring, the output, fades, the microphone, reconnecting."""
