//! The three prompts.

use serde_json::{Value, json};

use super::desk::Desk;

fn messages(desk: &mut Desk, name: &str, arguments: Value) -> Vec<(String, String)> {
    let answer = desk.host().request("prompts/get", json!({"name": name, "arguments": arguments}));
    let messages = answer["result"]["messages"].as_array();
    let messages = messages.unwrap_or_else(|| panic!("no messages: {answer}"));
    let text = |it: &Value| it.as_str().unwrap().to_owned();
    messages.iter().map(|it| (text(&it["role"]), text(&it["content"]["text"]))).collect()
}

fn completed(desk: &mut Desk, prompt: &str, argument: &str, typed: &str) -> Value {
    let reference = json!({"type": "ref/prompt", "name": prompt});
    let argument = json!({"name": argument, "value": typed});
    let answer =
        desk.host().request("completion/complete", json!({"ref": reference, "argument": argument}));
    answer["result"]["completion"]["values"].clone()
}

#[test]
fn dk_23_prompts_lead_to_tools_that_there_are() {
    let Some(mut desk) = Desk::new() else { return };
    let listed = desk.host().request("prompts/list", json!({}))["result"]["prompts"].clone();
    let shape = |it: &Value| {
        let required = it["arguments"].as_array().unwrap().iter();
        let required = required.map(|it| {
            format!(
                "{}{}",
                it["name"].as_str().unwrap(),
                if it["required"] == true { "*" } else { "?" }
            )
        });
        format!("{}({})", it["name"].as_str().unwrap(), required.collect::<Vec<_>>().join(", "))
    };
    let mut shapes: Vec<_> = listed.as_array().unwrap().iter().map(shape).collect();
    shapes.sort();
    assert_eq!(
        shapes,
        [
            "deploy-stack(project_name*, requirements*)",
            "manage-compose(action*, compose_yaml?, project_name*)",
            "manage-containers(action*, container_name?)",
        ]
    );
    let tools = desk.host().tools();
    let given = [
        ("deploy-stack", json!({"requirements": "a blog", "project_name": "blog"})),
        ("manage-containers", json!({"action": "restart it", "container_name": "web"})),
        ("manage-containers", json!({"action": "restart"})),
        (
            "manage-compose",
            json!({"action": "logs", "project_name": "blog", "compose_yaml": "services: {}"}),
        ),
    ];
    for (prompt, arguments) in given {
        let messages = messages(&mut desk, prompt, arguments.clone());
        let all: String = messages.iter().map(|it| it.1.as_str()).collect();
        assert!(
            messages.iter().all(|it| ["user", "assistant"].contains(&it.0.as_str())),
            "{messages:?}"
        );
        for value in arguments.as_object().unwrap().values() {
            assert!(all.contains(value.as_str().unwrap()), "{prompt} does not say {value}: {all}");
        }
        let named = all.split('`').skip(1).step_by(2);
        let tool = |it: &&str| {
            it.contains('-')
                && it.split('-').all(|word| word.chars().all(|it| it.is_ascii_lowercase()))
        };
        for name in named.filter(tool) {
            assert!(tools.iter().any(|it| it == name), "{prompt} names `{name}`, which is no tool");
        }
    }
}

#[test]
fn a_prompt_completes_what_the_engine_has() {
    let Some(mut desk) = Desk::new() else { return };
    let labels = json!({"com.docker.compose.project": desk.name("blog")});
    let name = desk.container_with("web", json!({"start": false, "labels": labels}));
    assert_eq!(
        completed(&mut desk, "manage-containers", "container_name", &name[..5]),
        json!([name])
    );
    assert_eq!(completed(&mut desk, "manage-containers", "action", "st"), json!(["start", "stop"]));
    let (mark, project) = (desk.mark.clone(), desk.name("blog"));
    for prompt in ["deploy-stack", "manage-compose"] {
        assert_eq!(completed(&mut desk, prompt, "project_name", &mark), json!([project]));
    }
    assert_eq!(completed(&mut desk, "manage-containers", "container_name", "nothing"), json!([]));
}
