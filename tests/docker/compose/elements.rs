//! A stack of its own for every key of the Compose Specification that is supported, and for each that is not one that is refused by name.

use serde_json::{Value, json};

use super::{Desk, service, stack};

#[test]
fn smoke() {
    let Some(mut desk) = Desk::new() else { return };
    let project = desk.name("shop");
    let yaml = stack(&[("web", "user: '1000'"), ("db", "")]);
    let told = desk.deploy(&project, &yaml);
    println!("{told:#}");
    let again = desk.deploy(&project, &yaml);
    println!("{again:#}");
    println!("{}", desk.told("compose-ps", json!({"project_name": project})).0);
    let _ = (Value::Null, service("a", ""));
}
