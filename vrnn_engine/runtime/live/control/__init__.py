"""Control sources: what steers a performance from outside: keys, OSC, MIDI and plug-ins."""
