"""Reads a recording, sound or ink, and converts it to the frames that a voice observes."""

from vrnn_engine.runtime.recording.opening import (
    FrameBlocks,
    Recording,
    RecordingLike,
    open_recording,
    read_recording,
)

__all__ = ["FrameBlocks", "Recording", "RecordingLike", "open_recording", "read_recording"]
