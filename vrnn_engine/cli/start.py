"""The entry point of the program: it handles signals from the first moment on, and only then imports the commands."""

from vrnn_engine.cli import signals


def run() -> None:
    """Run the command line of this process and exit with its code (the entry point `vrnn-engine`)."""
    signals.begin()
    from vrnn_engine.cli import collector

    with collector.paused():
        from vrnn_engine.cli import main
    main.run()
