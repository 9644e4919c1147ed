"""Building blocks of every other part: files, folders, extras, suggestions and plug-ins.

They need the standard library only.
"""
