"""onnxruntime is imported by one module."""

import ast

from support.command import ROOT


def test_only_one_module_imports_onnxruntime() -> None:
    importers = set()
    for path in (ROOT / "vrnn_engine").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any(name.partition(".")[0] == "onnxruntime" for name in names):
                importers.add(path.relative_to(ROOT).as_posix())
    assert importers == {"vrnn_engine/runtime/graph/ort.py"}
