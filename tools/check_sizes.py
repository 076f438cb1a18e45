"""Hold the size habits of ARCHITECTURE.md: modules, functions, parameters, templates, names."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

MODULE_LINES = 500
FUNCTION_LINES = 50
PARAMETERS = 6
TEMPLATE_LINES = 200
FORBIDDEN_NAMES = {"utils", "helpers", "common", "manager", "handler", "data", "info"}


def faults(root: Path) -> Iterator[str]:
    for path in sorted((root / "src").rglob("*.py")):
        yield from _module_faults(path)
    for path in sorted((root / "src").rglob("*.html")):
        if (lines := len(path.read_text().splitlines())) > TEMPLATE_LINES:
            yield f"{path}: {lines} lines, at most {TEMPLATE_LINES} in a template"


def _module_faults(path: Path) -> Iterator[str]:
    source = path.read_text()
    if path.stem in FORBIDDEN_NAMES:
        yield f"{path}: name the module after what it holds, not '{path.stem}'"
    if (lines := len(source.splitlines())) > MODULE_LINES:
        yield f"{path}: {lines} lines, at most {MODULE_LINES} in a module"
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _function_faults(path, node)


def _function_faults(path: Path, node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    where = f"{path}:{node.lineno} {node.name}"
    if (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > FUNCTION_LINES:
        yield f"{where}: {lines} lines, at most {FUNCTION_LINES} in a function"
    positional = [a.arg for a in [*node.args.posonlyargs, *node.args.args]]
    if len([a for a in positional if a not in {"self", "cls"}]) > PARAMETERS:
        yield f"{where}: more than {PARAMETERS} positional parameters"


if __name__ == "__main__":
    found = list(faults(Path(__file__).resolve().parent.parent))
    print("\n".join(found) or "sizes: within the habits")
    sys.exit(bool(found))
