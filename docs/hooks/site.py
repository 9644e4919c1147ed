"""Hooks of the documentation site (mkdocs.yml): pages from outside docs/, the help of each command, no foreign hosts.

The Markdown files are written so that their links work where the repository is browsed.  A link that leaves docs/
has no target on the site, so the file that it names becomes a page of the site here, and the link leads there.
"""

import os
import posixpath
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")
"""Pages at the root of the repository that the site has as well."""
LANGUAGES = {".py": "python", ".toml": "toml", ".yml": "yaml", ".json": "json"}
HELP = re.compile(r"^<!-- help:(?P<words>[^\n]*?) -->$", re.MULTILINE)
FENCE = re.compile(r"(^```.*?^```$)", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"(?P<before>\]\()(?P<target>[^)#\s]+)(?P<anchor>#[^)\s]*)?(?P<after>\))")
FOREIGN = re.compile(
    r"<(?:script|img|iframe|audio|video|source|embed|object)\b[^>]*?\b(?:src|data)=[\"']?(?:https?:)?//[^>]*>"
    r"|<link\b(?![^>]*rel=[\"']?canonical)[^>]*\bhref=[\"']?(?:https?:)?//[^>]*>"
)


def outside(target: str, folder: str) -> str | None:
    """Return the path from the repository's root of a link that leaves docs/, else None.

    Parameters
    ----------
    target
        The link without its anchor.
    folder
        The folder of the page, from the repository's root: `docs` or below, or empty for the root itself.
    """
    if "://" in target or target.startswith(("mailto:", "/")):
        return None
    path = posixpath.normpath(posixpath.join(folder, target))
    return None if path.startswith("docs/") else path


def page_of(path: str) -> str:
    """Return the page of the site, from docs/, that shows a file of the repository outside docs/."""
    if path in PAGES or path == "README.md":
        return path
    return f"repository/{path}" if path.endswith(".md") else f"repository/{path}.md"


def rewrite(text: str, folder: str) -> tuple[str, set[str]]:
    """Point links at the site's pages; return the text and the files outside docs/ that it links to."""
    linked: set[str] = set()
    here = posixpath.relpath(folder, "docs") if folder else "."

    def link(found: re.Match[str]) -> str:
        target = found["target"]
        path = outside(target, folder)
        if path is not None:
            if not (ROOT / path).is_file():
                raise ValueError(f"{folder or '.'}: the link {target!r} leads to no file; the site shows only files")
            linked.add(path)
            target = posixpath.relpath(page_of(path), here)
        elif not folder and target.startswith("docs/"):
            target = target.removeprefix("docs/")
        return f"{found['before']}{target}{found['anchor'] or ''}{found['after']}"

    parts = FENCE.split(text)
    return "".join(part if part.startswith("```") else LINK.sub(link, part) for part in parts), linked


def command_help(words: str) -> str:
    """Return what `vrnn-engine WORDS --help` prints, at 80 columns."""
    done = subprocess.run(
        [sys.executable, "-m", "vrnn_engine", *words.split(), "--help"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "80", "NO_COLOR": "1"},
    )
    if done.returncode != 0:
        raise ValueError(f"vrnn-engine {words} --help failed: {done.stderr.strip()}")
    return done.stdout.strip()


def with_help(text: str, ask: Callable[[str], str] = command_help) -> str:
    """Put the help of a command in place of each line `<!-- help: WORDS -->`."""
    return HELP.sub(lambda found: f"```text\n{ask(found['words'].strip())}\n```", text)


def foreign(html: str) -> list[str]:
    """Return the tags of a page that load something from another host."""
    return FOREIGN.findall(html)


def on_files(files: Any, config: Any) -> Any:
    """Add the pages at the root, and those that show a linked file (called by mkdocs)."""
    from mkdocs.structure.files import File

    linked = set(PAGES)
    for file in files.documentation_pages():
        linked |= rewrite(file.content_string, posixpath.dirname(f"docs/{file.src_uri}"))[1]
    for path in PAGES:
        linked |= rewrite((ROOT / path).read_text("utf-8"), "")[1]
    for path in sorted(linked - {"README.md"}):
        files.append(File.generated(config, page_of(path), content=_shown(path)))
    return files


def _shown(path: str) -> str:
    text = (ROOT / path).read_text("utf-8")
    if path.endswith(".md"):
        return text
    return f"# {path}\n\n~~~~~~{LANGUAGES.get(Path(path).suffix, 'text')}\n{text.rstrip()}\n~~~~~~\n"


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Rewrite the links of a page, and fill in the help of commands (called by mkdocs)."""
    uri = page.file.src_uri
    if uri in PAGES:
        return rewrite(markdown, "")[0]
    if uri.startswith("repository/"):
        return markdown
    return with_help(rewrite(markdown, posixpath.dirname(f"docs/{uri}"))[0])


def on_post_build(config: Any) -> None:
    """Fail if a page loads something from another host (called by mkdocs)."""
    from mkdocs.exceptions import PluginError

    site = Path(config.site_dir)
    for path in sorted(site.rglob("*.html")):
        if found := foreign(path.read_text("utf-8")):
            raise PluginError(f"{path.relative_to(site)} loads from another host: {found[0]}")
