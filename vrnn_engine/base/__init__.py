"""Building blocks of every other part: files, folders, extras, suggestions and plug-ins.

Loading them imports no package outside the standard library.
"""
