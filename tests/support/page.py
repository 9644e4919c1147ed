"""A page in a browser: runs JavaScript in it and waits for it, whatever the browser is."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any


class Page(ABC):
    """A running browser with one page.

    Attributes
    ----------
    version : str
        Name and version of the browser.
    elsewhere : sequence of str
        Requests to hosts other than this machine, as far as the browser tells them.
    """

    version: str
    elsewhere: Sequence[str]

    @abstractmethod
    def open(self, url: str, width: int = 1280, height: int = 800, touch: bool = False) -> None:
        """Load a page in a window of this size in CSS pixels, and forget what the page before it logged.

        Only Chromium imitates a touch screen.
        """

    @abstractmethod
    def run(self, body: str, *arguments: Any, seconds: float = 60.0) -> Any:
        """Run the body of an async function in the page; return what it returns.

        Parameters
        ----------
        body : str
            JavaScript; may use `await`, `return` and `import()`. Its arguments are `given[0]`, `given[1]` and so on.
        *arguments
            JSON values.
        seconds : float
            Time limit.

        Raises
        ------
        RuntimeError
            The function threw an error.
        """

    def click(self, selector: str) -> None:
        """Click on the element of a CSS selector, as a person does."""
        self.run("document.querySelector(given[0]).click()", selector)

    @abstractmethod
    def log(self) -> list[str]:
        """Return what the page wrote to the console, and its uncaught errors and failed requests."""

    @abstractmethod
    def errors(self) -> list[str]:
        """Return the errors among the lines of `log`."""

    @abstractmethod
    def screenshot(self, path: Path) -> None:
        """Save what the window shows as a PNG."""

    def wait_until(self, condition: str, seconds: float = 60.0) -> Any:
        """Wait until a JavaScript expression is true; return its value.

        Raises
        ------
        RuntimeError
            It is still false after `seconds`; the message has what the page logged.
        """
        body = """
            const end = performance.now() + given[0];
            for (;;) {
                const value = await (CONDITION);
                if (value || performance.now() > end) return value;
                await new Promise(resolve => setTimeout(resolve, 50));
            }"""
        value = self.run(body.replace("CONDITION", condition), 1000 * seconds, seconds=seconds + 10)
        if not value:
            raise RuntimeError(f"after {seconds:g} s not true: {condition}; the page logged: {self.log()}")
        return value
