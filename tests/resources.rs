//! Resources and prompts: listed, read, completed, and told of when they change.

use expect_test::{Expect, expect};
use serde_json::{Value, json};

use crate::support::{Host, Setup, refusal};

/// What `noter` imports.
const GRANTS: &str = "[plugins.noter.grants]\nstore = true\n";
/// What `conformance` imports.
const JOBS: &str = "[plugins.conformance.grants]\njobs = true\n";

/// Both kinds of clients.
const ERAS: [fn(Setup) -> Host; 2] = [Setup::legacy, Setup::modern];

const UPDATED: &str = "notifications/resources/updated";
const CHANGED: &str = "notifications/resources/list_changed";

fn noter() -> Setup {
    Setup::new().plugins(&["noter"]).config(GRANTS)
}

fn write(host: &mut Host, id: &str, text: &str) {
    let wrote = host.text("note_write", json!({"id": id, "text": text}));
    assert_eq!(wrote, format!("wrote note://{id}"));
}

#[test]
fn resources_are_listed_as_they_come() {
    for start in ERAS {
        let mut host = start(noter());
        assert_eq!(host.request("resources/list", json!({}))["result"]["resources"], json!([]));
        write(&mut host, "b", "B");
        write(&mut host, "a", "A");
        let link =
            |id: &str| json!({"uri": format!("note://{id}"), "name": id, "mimeType": "text/plain"});
        let listed = host.request("resources/list", json!({}))["result"]["resources"].clone();
        assert_eq!(listed, json!([link("a"), link("b")]));
    }
}

#[test]
fn resources_are_read_as_they_were_written() {
    for start in ERAS {
        let mut host = start(noter());
        write(&mut host, "a", "größer\n");
        write(&mut host, "a", "kleiner\n");
        let read = host.request("resources/read", json!({"uri": "note://a"}));
        let contents = json!([{"uri": "note://a", "mimeType": "text/plain", "text": "kleiner\n"}]);
        assert_eq!(read["result"]["contents"], contents, "{read}");
    }
}

#[test]
fn bytes_are_read_as_bytes() {
    let mut host = Setup::new().plugins(&["conformance"]).config(JOBS).modern();
    let read = host.request("resources/read", json!({"uri": "test://static-binary"}));
    let contents = &read["result"]["contents"][0];
    assert_eq!(contents["mimeType"], "image/png");
    assert!(contents["blob"].as_str().unwrap().starts_with("iVBORw0KGgo"), "{read}");
}

#[test]
fn templates_are_listed() {
    for start in ERAS {
        let mut host = start(noter());
        let answer = host.request("resources/templates/list", json!({}));
        let template = json!({
            "uriTemplate": "note://{id}",
            "name": "note",
            "description": "A note, by its name.",
            "mimeType": "text/plain",
        });
        assert_eq!(answer["result"]["resourceTemplates"], json!([template]));
    }
}

#[test]
fn a_resource_that_is_not_there_is_told_as_each_era_wants_it() {
    for (start, code) in ERAS.into_iter().zip([-32002, -32602]) {
        let mut host = start(noter());
        for uri in ["note://nope", "nobody://a", "no uri at all", ""] {
            let answer = host.request("resources/read", json!({"uri": uri}));
            assert_eq!(answer["error"]["code"], code, "{answer}");
            assert_eq!(answer["error"]["data"]["uri"], uri, "{answer}");
        }
    }
}

/// The URIs of all updates that came so far.
fn updates(host: &mut Host) -> Vec<Value> {
    host.notes
        .drain(..)
        .filter(|note| note["method"] == UPDATED)
        .map(|note| note["params"]["uri"].clone())
        .collect()
}

#[test]
fn a_first_era_client_hears_of_the_resources_it_subscribed_to_and_no_others() {
    let mut host = noter().legacy();
    assert_eq!(
        host.request("resources/subscribe", json!({"uri": "note://a"}))["result"],
        json!({})
    );
    write(&mut host, "b", "1");
    write(&mut host, "a", "1");
    assert_eq!(host.note(UPDATED)["params"]["uri"], "note://a");
    assert_eq!(
        host.request("resources/unsubscribe", json!({"uri": "note://a"}))["result"],
        json!({})
    );
    assert_eq!(
        host.request("resources/subscribe", json!({"uri": "note://c"}))["result"],
        json!({})
    );
    updates(&mut host);
    write(&mut host, "a", "2");
    write(&mut host, "c", "2");
    assert_eq!(host.note(UPDATED)["params"]["uri"], "note://c");
    assert_eq!(updates(&mut host), [json!(null); 0]);
}

#[test]
fn a_first_era_client_hears_that_the_list_changed() {
    let mut host = noter().legacy();
    write(&mut host, "a", "1");
    host.note(CHANGED);
    write(&mut host, "b", "1");
    host.note(CHANGED);
}

/// The number of the subscription that a note belongs to.
fn subscription(note: &Value) -> Option<u64> {
    note["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"].as_u64()
}

#[test]
fn a_second_era_subscriber_hears_what_it_asked_for_and_no_more() {
    let mut host = noter().modern();
    host.request("server/discover", json!({}));
    let id = host.listen(json!({"resourceSubscriptions": ["note://a"]}));
    write(&mut host, "b", "1");
    write(&mut host, "a", "1");
    let note = host.note(UPDATED);
    assert_eq!((&note["params"]["uri"], subscription(&note)), (&json!("note://a"), Some(id)));
    let lists = host.listen(json!({"resourcesListChanged": true}));
    write(&mut host, "b", "2");
    assert_eq!(subscription(&host.note(CHANGED)), Some(lists));
    assert_eq!(host.notes.iter().filter(|note| note["method"] == UPDATED).count(), 0);
    assert_eq!(host.notes.iter().filter(|note| note["method"] == CHANGED).count(), 0);
}

#[test]
fn a_second_era_subscription_ends_when_it_is_cancelled() {
    let mut host = noter().modern();
    host.request("server/discover", json!({}));
    let one = host.listen(json!({"resourceSubscriptions": ["note://a"]}));
    let other = host.listen(json!({"resourceSubscriptions": ["note://a"]}));
    let parameters = json!({"requestId": one});
    host.send(
        &json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": parameters}),
    );
    write(&mut host, "a", "1");
    assert_eq!(subscription(&host.note(UPDATED)), Some(other));
    assert!(
        !host
            .rest()
            .iter()
            .any(|note| note["method"] == UPDATED && subscription(note) == Some(one))
    );
}

#[test]
fn a_client_without_a_subscription_hears_nothing() {
    let mut host = noter().modern();
    write(&mut host, "a", "1");
    write(&mut host, "a", "2");
    assert_eq!(host.rest(), [json!(null); 0]);
}

/// The text of the one message of a prompt.
fn prompt(host: &mut Host, arguments: &Value) -> String {
    let answer = host.request("prompts/get", json!({"name": "summarise", "arguments": arguments}));
    let messages = answer["result"]["messages"].as_array().unwrap_or_else(|| panic!("{answer}"));
    assert_eq!((messages.len(), &messages[0]["role"]), (1, &json!("user")));
    messages[0]["content"]["text"].as_str().unwrap().to_owned()
}

#[test]
fn prompts_are_listed_and_filled_in() {
    for start in ERAS {
        let mut host = start(noter());
        let listed = host.request("prompts/list", json!({}))["result"]["prompts"].clone();
        assert_eq!(listed[0]["name"], "summarise");
        assert_eq!(listed[0]["title"], "Summarise a note");
        let argument = |at: usize| {
            let argument = &listed[0]["arguments"][at];
            (argument["name"].clone(), argument["required"].clone())
        };
        assert_eq!(argument(0), (json!("id"), json!(true)));
        assert_eq!(argument(1), (json!("style"), json!(false)));
        write(&mut host, "a", "A");
        let long = prompt(&mut host, &json!({"id": "a", "style": "long"}));
        assert_eq!(long, "Write a long summary of this note:\n\nA");
        let short = prompt(&mut host, &json!({"id": "a"}));
        assert_eq!(short, "Write a short summary of this note:\n\nA");
    }
}

#[test]
fn a_prompt_that_makes_no_sense_is_refused_and_says_why() {
    let mut host = noter().modern();
    write(&mut host, "a", "A");
    let mut check = |parameters: Value, expected: Expect| {
        expected.assert_eq(&refusal(&host.request("prompts/get", parameters)));
    };
    check(json!({"name": "nope"}), expect!["-32602: Unknown prompt: `nope`"]);
    check(
        json!({"name": "summarise"}),
        expect!["-32602: prompt `summarise`: the argument `id` is missing"],
    );
    check(
        json!({"name": "summarise", "arguments": {"style": "long"}}),
        expect!["-32602: prompt `summarise`: the argument `id` is missing"],
    );
    check(
        json!({"name": "summarise", "arguments": {"id": "a", "colour": "red"}}),
        expect!["-32602: prompt `summarise`: there is no argument `colour`"],
    );
    check(
        json!({"name": "summarise", "arguments": {"id": 3}}),
        expect!["-32602: prompt `summarise`: the argument `id` must be text"],
    );
    check(
        json!({"name": "summarise", "arguments": {"id": "nope"}}),
        expect!["-32602: no note `nope`"],
    );
}

#[test]
fn arguments_of_prompts_and_variables_of_templates_are_completed() {
    let prompt = json!({"type": "ref/prompt", "name": "summarise"});
    let template = json!({"type": "ref/resource", "uri": "note://{id}"});
    for start in ERAS {
        let mut host = start(noter());
        for id in ["apple", "apricot", "pear"] {
            write(&mut host, id, "fruit");
        }
        let mut check = |reference: &Value, name: &str, typed: &str, expected: &[&str]| {
            let argument = json!({"name": name, "value": typed});
            let answer = host
                .request("completion/complete", json!({"ref": reference, "argument": argument}));
            let completion = &answer["result"]["completion"];
            assert_eq!(completion["values"], json!(expected), "{answer}");
            assert_eq!(completion["hasMore"], false);
        };
        check(&prompt, "id", "ap", &["apple", "apricot"]);
        check(&prompt, "id", "", &["apple", "apricot", "pear"]);
        check(&prompt, "id", "x", &[]);
        check(&prompt, "style", "s", &["short"]);
        check(&prompt, "nope", "", &[]);
        check(&template, "id", "p", &["pear"]);
    }
}

#[test]
fn no_more_is_completed_than_the_protocol_allows() {
    let mut host = noter().modern();
    for number in 0..101 {
        write(&mut host, &format!("n{number:03}"), "");
    }
    let reference = json!({"type": "ref/prompt", "name": "summarise"});
    let argument = json!({"name": "id", "value": "n"});
    let answer =
        host.request("completion/complete", json!({"ref": reference, "argument": argument}));
    let completion = &answer["result"]["completion"];
    assert_eq!(completion["values"].as_array().unwrap().len(), 100);
    assert_eq!((&completion["total"], &completion["hasMore"]), (&json!(101), &json!(true)));
}

#[test]
fn completion_of_what_is_not_there_is_refused() {
    let mut host = noter().modern();
    for reference in [
        json!({"type": "ref/prompt", "name": "nope"}),
        json!({"type": "ref/resource", "uri": "nope://{id}"}),
    ] {
        let argument = json!({"name": "id", "value": ""});
        let answer =
            host.request("completion/complete", json!({"ref": reference, "argument": argument}));
        assert!(refusal(&answer).starts_with("-32602: there is no "), "{answer}");
    }
}
