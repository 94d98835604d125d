"""Judges what mcp-fuzzer calls accepted although malformed.

It says so of every input of an attack's shape that was answered, a string with a quote in it and a plain `ping` among
them. Here an input is malformed if the tool's own schema, or the protocol's types, refuse it. Prints each that is.

usage: malformed.py URL FINDINGS.json
"""

import asyncio
import json
import sys

import jsonschema
import mcp_types
from mcp import Client
from pydantic import TypeAdapter, ValidationError

MESSAGE = TypeAdapter(mcp_types.ClientRequest | mcp_types.ClientNotification)


def fits_schema(arguments, tool):
    try:
        jsonschema.validate(arguments, tool.input_schema)
    except jsonschema.ValidationError:
        return False
    return True


def fits_protocol(message):
    try:
        MESSAGE.validate_python(message)
    except ValidationError:
        return False
    return True


def is_well_formed(finding, tools):
    sent = finding["evidence"]["input"]
    if finding["kind"] == "tool":
        return finding["target"] in tools and fits_schema(sent, tools[finding["target"]])
    if sent.get("method") == "tools/call":
        parameters = sent.get("params", {})
        tool = tools.get(parameters.get("name"))
        return tool is not None and fits_schema(parameters.get("arguments", {}), tool)
    return fits_protocol(sent)


async def main():
    url, findings = sys.argv[1:]
    async with Client(url) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    with open(findings) as file:
        findings = json.load(file)["findings"]
    accepted = [finding for finding in findings if finding["category"] == "accepted_malformed"]
    malformed = [finding for finding in accepted if not is_well_formed(finding, tools)]
    for finding in malformed:
        print(f"FAIL {finding['target']} took {json.dumps(finding['evidence']['input'])[:400]}")
    print(f"{len(accepted) - len(malformed)} well formed, {len(malformed)} malformed")
    return 1 if malformed else 0


sys.exit(asyncio.run(main()))
