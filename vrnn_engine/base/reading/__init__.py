"""Reads files and messages that may be damaged or hostile: limits first, and every failure is one error of one line."""
