"""The error about an option that is used wrongly."""

import typer


class WrongOption(typer.BadParameter):
    """A usage error whose line is a sentence about an option, as in `Error: --mode needs --from SOURCE`.

    Parameters
    ----------
    message : str
        The sentence after the option.
    ctx : Context, optional
    param_hint : str
        The option.
    """

    def format_message(self) -> str:
        """Return the option and the message; typer would write `Invalid value for OPTION: MESSAGE`."""
        return f"{self.param_hint} {self.message}"
