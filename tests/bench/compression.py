"""Judge the compression of tool results on a corpus of your own.

    python -m tests.bench.compression CORPUS [CORPUS ...]

A corpus is JSON lines, gzipped or not. A line with `messages` is a conversation (Anthropic form); a
line with `tool`, `input` and `output` is one result. Conversations are also measured with their
numbered reads rewritten to the newer form, `N<TAB>text`. Counts tokens where bpe-openai is there,
else bytes.
"""

import argparse
import gzip
import json
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.compression_reading import Request, faults_of

from tidegate.compression import LEVELS, compress_messages, compress_result
from tidegate.core.compression.tools import class_of

_OLD_NUMBER = re.compile(r"^ *(\d+)→", re.M)
_SMALL = 16 << 10  # bytes: the results that the slowest hundredth is told of


def count_tokens() -> tuple[str, Callable[[str], int]]:
    """What to count in, and how."""
    try:
        import bpe_openai  # noqa: PLC0415 - measuring in bytes does not need it
    except ImportError:
        return "bytes", size_of
    encoding = bpe_openai.get_encoding("o200k_base")
    return "tokens", lambda text: len(encoding.encode(text))


def size_of(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def rows_of(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as lines:
        for line in lines:
            yield json.loads(line)


def newer(messages: list[Any]) -> list[Any]:
    """The same conversation as a newer client tells it: reads as `N<TAB>text`."""
    reads = {
        block["id"]
        for message in messages
        for block in _blocks(message)
        if block.get("type") == "tool_use" and block.get("name") == "Read"
    }

    def rewritten(block: Any) -> Any:
        if block.get("type") != "tool_result" or block.get("tool_use_id") not in reads:
            return block
        content = block.get("content")
        if isinstance(content, str):
            return {**block, "content": _OLD_NUMBER.sub(r"\1\t", content)}
        parts = [
            {**part, "text": _OLD_NUMBER.sub(r"\1\t", part["text"])} if "text" in part else part
            for part in content or []
        ]
        return {**block, "content": parts}

    return [
        {**message, "content": [rewritten(block) for block in message["content"]]}
        if isinstance(message.get("content"), list)
        else message
        for message in messages
    ]


def _blocks(message: Any) -> list[Any]:
    content = message.get("content")
    return content if isinstance(content, list) else []


def texts_of(messages: list[Any]) -> Iterator[tuple[str, str]]:
    """Each tool result's class and text."""
    classes: dict[str, str] = {}
    for message in messages:
        for block in _blocks(message):
            if block.get("type") == "tool_use":
                classes[block["id"]] = class_of(block["name"], block["input"])
            elif block.get("type") == "tool_result":
                content = block.get("content")
                parts = [content] if isinstance(content, str) else content or []
                text = "".join(p if isinstance(p, str) else p.get("text", "") for p in parts)
                yield classes.get(block.get("tool_use_id"), "other"), text


def judge_conversations(name: str, conversations: list[list[Any]]) -> None:
    unit, count = count_tokens()
    for level in LEVELS:
        before: defaultdict[str, int] = defaultdict(int)
        after: defaultdict[str, int] = defaultdict(int)
        broken = faults = size = 0
        spent = 0.0
        for messages in conversations:
            begin = time.process_time()
            sent = compress_messages(messages, level=level)
            spent += time.process_time() - begin
            half = len(messages) // 2
            broken += compress_messages(messages[:half], level=level) != sent[:half]
            faults += len(faults_of(Request(messages), Request(sent), level))
            for (kind, came), (_, went) in zip(texts_of(messages), texts_of(sent), strict=True):
                before[kind] += count(came)
                after[kind] += count(went) if went != came else count(came)
                size += size_of(came)
        _print(f"{name}, {level}", unit, before, after)
        print(  # noqa: T201
            f"    conversations {len(conversations)}, changed what was sent {broken}, "
            f"lines lost {faults}; {size / 1e6 / max(spent, 1e-9):.0f} MB/s of CPU time"
        )


def judge_results(results: list[dict[str, Any]]) -> None:
    unit, count = count_tokens()
    for level in LEVELS:
        before: defaultdict[str, int] = defaultdict(int)
        after: defaultdict[str, int] = defaultdict(int)
        small: list[float] = []
        size, spent, faults, again, grew = 0, 0.0, 0, 0, 0
        for row in results:
            tool, call, came = row["tool"], row["input"], row["output"]
            begin = time.process_time()
            went = compress_result(tool, call, came, level=level)
            took = time.process_time() - begin
            kind = class_of(tool, call)
            before[kind] += count(came)
            after[kind] += count(went)
            size, spent = size + size_of(came), spent + took
            if size_of(came) <= _SMALL:
                small.append(took)
            grew += size_of(went) > size_of(came)
            again += compress_result(tool, call, went, level=level) != went
            faults += len(faults_of(_request(tool, call, came), _request(tool, call, went), level))
        _print(f"single results, {level}", unit, before, after)
        slowest = sorted(small)[int(len(small) * 0.99)] * 1e3 if small else 0.0
        print(  # noqa: T201
            f"    results {len(results)}, grew {grew}, changed again {again}, lines lost {faults}; "
            f"{size / 1e6 / max(spent, 1e-9):.0f} MB/s of CPU time, "
            f"p99 {slowest:.2f} ms up to 16 KB"
        )


def _request(tool: str, call: Any, text: str) -> Request:
    return Request(
        [
            {"content": [{"type": "tool_use", "id": "1", "name": tool, "input": call}]},
            {"content": [{"type": "tool_result", "tool_use_id": "1", "content": text}]},
        ]
    )


def _print(title: str, unit: str, before: dict[str, int], after: dict[str, int]) -> None:
    parts = ", ".join(
        f"{kind} {100 * (1 - after[kind] / max(1, before[kind])):.1f} %"
        for kind in sorted(before, key=lambda kind: -before[kind])
    )
    saved = 100 * (1 - sum(after.values()) / max(1, sum(before.values())))
    print(f"{title}: {saved:.2f} % of {sum(before.values()):,} {unit} saved")  # noqa: T201
    print(f"    {parts}")  # noqa: T201


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", nargs="+", type=Path)
    parser.add_argument("--agent", help="only rows of this agent")
    options = parser.parse_args()
    rows = [row for path in options.corpus for row in rows_of(path)]
    if options.agent:
        rows = [row for row in rows if row.get("agent") == options.agent]
    if conversations := [row["messages"] for row in rows if "messages" in row]:
        judge_conversations("as they are", conversations)
        judge_conversations("reads as N<TAB>", [newer(messages) for messages in conversations])
    if results := [row for row in rows if "output" in row]:
        judge_results(results)


if __name__ == "__main__":
    main()
