"""Sound devices: PortAudio, output, microphone, the ring between threads, fades and reconnecting."""
