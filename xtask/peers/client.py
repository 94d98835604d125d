"""The PyPI client `mcp` against the host: one line per claim, exit code 1 if one does not hold.

usage: client.py URL COMMAND...   (the same server, over HTTP and to be started on stdio)
"""

import asyncio
import sys

from mcp import Client, StdioServerParameters
from mcp.types import ElicitResult

FAILED = []


def claim(where, what, holds, seen=""):
    print(f"{'OK' if holds else 'FAIL'} {where}: {what}" + ("" if holds else f"; seen: {seen}"))
    if not holds:
        FAILED.append(what)


async def answer(context, params):
    return ElicitResult(action="accept", content={"name": "Ada"})


def text(result):
    return "".join(getattr(block, "text", "") for block in result.content)


async def fails(call):
    """What a call that must not succeed says, as a result or as an error."""
    try:
        result = await call
    except Exception as error:
        return str(error) or type(error).__name__
    return text(result) if result.is_error else None


async def check(where, target, mode):
    async with Client(target, mode=mode, elicitation_callback=answer) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        claim(where, "lists `echo` and `survey`", {"echo", "survey"} <= tools.keys(), list(tools))

        result = await client.call_tool("echo", {"message": "hi"})
        said = result.structured_content
        claim(where, "`echo` answers with structure", said == {"message": "hi"}, said)
        claim(where, "`echo` answers with text", "hi" in text(result), text(result))

        refusal = await fails(client.call_tool("echo", {"message": 3}))
        claim(where, "wrong arguments are an error", refusal is not None, refusal)
        refusal = await fails(client.call_tool("complain", {}))
        claim(where, "a tool's own error arrives", refusal and "as asked" in refusal, refusal)
        refusal = await fails(client.call_tool("no_such_tool", {}))
        claim(where, "an unknown tool is an error", refusal is not None, refusal)

        greeting = text(await client.call_tool("survey", {}))
        claim(where, "an answered question continues the call", "Hello, Ada!" in greeting, greeting)


async def main():
    url, command, *arguments = sys.argv[1:]
    targets = {"http": url, "stdio": StdioServerParameters(command=command, args=arguments)}
    for name, target in targets.items():
        for mode in ("auto", "legacy"):
            where = f"{name}, {mode}"
            try:
                async with asyncio.timeout(60):
                    await check(where, target, mode)
            except Exception as error:
                claim(where, "runs to the end", False, repr(error))


asyncio.run(main())
sys.exit(1 if FAILED else 0)
