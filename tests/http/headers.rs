//! Arguments that stand in headers as well: a proxy that reads those reads what the tool gets.

use serde_json::json;

use crate::support::{
    MODERN, Setup,
    http::{Answer, HttpHost},
    text_of,
};

const GRANTS: &str = "[plugins.conformance.grants]\njobs = true\n";

/// Calls a tool one of whose arguments is a header, too.
fn call(host: &HttpHost, value: &str, headers: &[&str]) -> Answer {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let tool = "test_custom_header";
    let parameters = json!({"name": tool, "arguments": {"value": value}, "_meta": meta});
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": parameters});
    let usual = [
        format!("MCP-Protocol-Version: {MODERN}"),
        "Mcp-Method: tools/call".to_owned(),
        format!("Mcp-Name: {tool}"),
    ];
    let mut all: Vec<&str> = usual.iter().map(String::as_str).collect();
    all.extend(headers);
    host.post(&message, &all)
}

#[test]
fn an_argument_in_a_header_is_the_one_in_the_body() {
    let host = Setup::new().plugins(&["conformance"]).config(GRANTS).http();
    for (value, header) in [("west", "west"), ("größer", "=?base64?Z3LDtsOfZXI=?=")] {
        let header = format!("Mcp-Param-Value: {header}");
        let answer = call(&host, value, &[&header]);
        assert_eq!(answer.status, 200, "{header}: {answer:?}");
        assert_eq!(text_of(&answer.message()["result"]), format!("Value: {value}"));
    }
    let refused: [&[&str]; 6] = [
        &[],
        &["Mcp-Param-Value: east"],
        &["Mcp-Param-Value: west", "Mcp-Param-Value: east"],
        &["Mcp-Param-Value: =?base64?d2Vzd"],
        &["Mcp-Param-Value: =?base64?!!!?="],
        &["Mcp-Param-Value: =?base64?ZWFzdA==?="],
    ];
    for headers in refused {
        let answer = call(&host, "west", headers);
        assert_eq!(answer.status, 400, "{headers:?}: {answer:?}");
        assert_eq!(answer.message()["error"]["code"], -32020, "{headers:?}: {answer:?}");
    }
}
