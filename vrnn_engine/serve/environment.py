"""Environment variables with the secrets of a server: unlike the options of a command, other users cannot see them."""

KEY_VARIABLE = "VRNN_ENGINE_KEY"
"""Key that seals the sessions' tokens."""
TOKEN_VARIABLE = "VRNN_ENGINE_TOKEN"
"""Secret that clients must send."""
