"""What every other part builds on: files, folders, suggestions and plug-ins."""
