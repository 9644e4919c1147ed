"""Control sources: keys, OSC, MIDI, and sources by plug-in."""
