//! The fake and the plugin against the vendor's own document of Coder 2.36.

use serde_json::{Value, json};

use super::drive::{self, Asker, VERSION};
use crate::support::{
    coder::{Coder, Fault, Generation},
    prism::{Prism, Seen},
};

/// The document, without its prose.
const DOCUMENT: &str = include_str!("api-2.36.json");

/// What Coder sends as null and its document does not say so: pointers without `omitempty`, and times that may be none.
const NULLABLE: &[(&str, &[&str])] = &[
    ("Workspace", &["deleting_at", "dormant_at", "latest_app_status", "next_start_at"]),
    ("WorkspaceBuild", &["deadline", "max_deadline", "template_version_preset_id"]),
    ("TransitionStats", &["p50", "p95"]),
    ("Preset", &["DesiredPrebuildInstances"]),
    ("Chat", &["last_turn_summary", "summary"]),
];

/// What else Coder sends otherwise than its document says: any JSON where it speaks of bytes, a name that is no URL, and
/// every reason of a build that it knows.
const OTHERWISE: [(&str, &str, &str); 4] = [
    ("ChatMessagePart", "args", "{}"),
    ("ChatMessagePart", "result", "{}"),
    ("Template", "organization_name", r#"{"type": "string"}"#),
    ("WorkspaceBuild", "reason", r##"{"$ref": "#/definitions/codersdk.BuildReason"}"##),
];

/// As many requests as drive all that the fake has.
const DRIVEN: usize = 100;

/// As Prism understands it: it knows what may be null by a mark on a type, and not by one beside a reference.
fn document() -> Value {
    let mut document: Value = serde_json::from_str(DOCUMENT).unwrap();
    for (definition, names) in NULLABLE {
        for name in *names {
            property(&mut document, definition, name)["x-nullable"] = true.into();
        }
    }
    for (definition, name, schema) in OTHERWISE {
        *property(&mut document, definition, name) = serde_json::from_str(schema).unwrap();
    }
    let definitions = document["definitions"].clone();
    for definition in document["definitions"].as_object_mut().unwrap().values_mut() {
        let properties = definition.get_mut("properties").and_then(Value::as_object_mut);
        properties.into_iter().flatten().for_each(|(_, property)| resolve(property, &definitions));
    }
    document
}

fn property<'a>(document: &'a mut Value, definition: &str, name: &str) -> &'a mut Value {
    let definition = &mut document["definitions"][format!("codersdk.{definition}")];
    let property = &mut definition["properties"][name];
    assert!(property.is_object(), "the document has no `{name}` there");
    property
}

/// Puts what it refers to in the place of a reference that may be null.
fn resolve(property: &mut Value, definitions: &Value) {
    let reference = property.get("$ref").or(property.pointer("/allOf/0/$ref"));
    let Some(reference) = reference.filter(|_| property["x-nullable"] == true) else { return };
    let name = reference.as_str().unwrap().trim_start_matches("#/definitions/");
    let mut resolved = definitions[name].clone();
    resolved["x-nullable"] = true.into();
    *property = resolved;
}

/// A deployment of 2.36 behind the document.
pub(super) fn checked() -> Option<(Coder, Prism)> {
    let coder = Coder::new(Generation::Tasks);
    let prism = Prism::before(&coder.origin(), &document())?;
    Some((coder, prism))
}

pub(super) fn violations(seen: &[Seen]) -> Vec<&Seen> {
    seen.iter().filter(|it| it.violations.is_some()).collect()
}

#[test]
fn all_that_the_fake_answers_fits_the_document() {
    let Some((coder, prism)) = checked() else { return };
    drive::everything(&coder, &mut Asker::of(&prism.origin()));
    let seen = prism.seen();
    assert_eq!(violations(&seen).len(), 0, "{:#?}", violations(&seen));
    assert!(seen.len() >= DRIVEN, "{} requests", seen.len());
}

#[test]
fn what_does_not_fit_the_document_is_noticed() {
    let Some((coder, prism)) = checked() else { return };
    let mut asker = Asker::of(&prism.origin());
    let wrong = json!({"tasks": [{"status": "dancing"}], "count": 1});
    coder.fault("GET", "/api/v2/tasks", 1, Fault::Answer(200, wrong));
    asker.get("/api/v2/tasks");
    let nameless = json!({"template_id": VERSION});
    asker.refused(400, "POST", "/api/v2/users/me/workspaces", &nameless);
    coder.fault("GET", "/api/v2/tasks", 1, Fault::Status(418, None));
    asker.refused(418, "GET", "/api/v2/tasks", &Value::Null);
    assert_eq!(violations(&prism.seen()).len(), 3, "{:#?}", prism.seen());
    asker.ask(404, "GET", "/api/v2/chats", &Value::Null);
    assert_eq!(violations(&prism.seen()).len(), 3, "nothing there is known to the document");
}

/// A definition that Prism cannot read takes its operation out of what is held to the document, and nobody would say so.
#[test]
fn no_operation_of_the_document_goes_unheld() {
    let Some((coder, prism)) = checked() else { return };
    let mut asker = Asker::of(&prism.origin());
    let document = document();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let answers = operation["responses"].as_object().unwrap().iter();
            let mut good =
                answers.filter(|(it, known)| it.starts_with('2') && known["schema"].is_object());
            let Some((status, _)) = good.next() else { continue };
            let status = status.parse().unwrap();
            coder.fault("", "", 1, Fault::Answer(status, "dancing".into()));
            let method = method.to_uppercase();
            asker.ask(status, &method, &filled(path), &Value::Null);
            let said = prism.seen().pop().unwrap().violations.unwrap_or_default();
            assert!(said.contains(r#"["response","body"]"#), "{method} {path}: {said}");
        }
    }
    assert!(prism.seen().len() > 40, "{} operations", prism.seen().len());
}

/// A path with an id wherever it wants something.
fn filled(path: &str) -> String {
    let fill = |step| if str::starts_with(step, '{') { VERSION } else { step };
    path.split('/').map(fill).collect::<Vec<_>>().join("/")
}
