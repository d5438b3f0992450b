"""A process in which something is measured: `python worker.py SECTION '{"loop": "uvloop", ...}'`. See `telling`."""

from __future__ import annotations

import asyncio
import importlib
import json
import sys


def main() -> None:
    """Run a section, on the event loop that its settings name."""
    section = importlib.import_module(sys.argv[1])
    settings = section.Settings(**json.loads(sys.argv[2]))
    factory = None
    if settings.loop == "uvloop":
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(section.measure(settings))


if __name__ == "__main__":
    main()
