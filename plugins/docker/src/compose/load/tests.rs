//! What files come to, and what is wrong with those that come to nothing.

use windlass_sdk::engine::FileContent;

use super::*;

/// The files that may be read.
fn read(path: &str) -> Result<Option<Vec<u8>>, Error> {
    Ok(match path {
        "/srv/.env" => Some(b"BESIDE=yes\nCALLED=no\n".to_vec()),
        "/srv/a.env" => Some(b"ONE=${CALLED}\nTOKEN\n".to_vec()),
        "/srv/secret" => Some(b"hush".to_vec()),
        "/srv/other/base.yaml" => {
            Some(b"services: {base: {image: 'b:${BESIDE}', volumes: ['./x:/x']}}".to_vec())
        }
        _ => None,
    })
}

fn planned(
    text: &str,
    place: Option<&str>,
    profiles: &[&str],
    services: &[&str],
) -> Result<Plan, Error> {
    let owned = |list: &[&str]| list.iter().map(|&it| it.to_owned()).collect::<Vec<_>>();
    let source = Source {
        text: text.to_owned(),
        name: "it".to_owned(),
        place: Place(place.map(str::to_owned)),
    };
    let environment = BTreeMap::from([("CALLED".to_owned(), "called".to_owned())]);
    let variables = BTreeMap::from([
        ("CONFIG".to_owned(), "set".to_owned()),
        ("BESIDE".to_owned(), "no".to_owned()),
    ]);
    plan(
        &source,
        &Around {
            project: "p",
            environment: &environment,
            variables: &variables,
            secrets: &["TOKEN".to_owned()],
            profiles: &owned(profiles),
            services: &owned(services),
            read: &read,
        },
    )
}

#[track_caller]
fn plan_of(text: &str) -> Plan {
    planned(text, Some("/srv"), &[], &[]).unwrap_or_else(|error| panic!("{}", error.message))
}

#[track_caller]
fn refused(text: &str, because: &str) {
    let error = planned(text, Some("/srv"), &[], &[]).unwrap_err();
    assert!(error.message.contains(because), "{}", error.message);
}

fn names(plan: &Plan) -> Vec<&str> {
    plan.services.iter().map(|it| it.name.as_str()).collect()
}

#[test]
fn variables_come_from_the_call_then_from_beside_then_from_the_configuration() {
    let plan =
        plan_of("services: {a: {image: 'a:$CALLED-$BESIDE-$CONFIG-$COMPOSE_PROJECT_NAME-$NONE'}}");
    assert_eq!(plan.services[0].spec.image, "a:called-yes-set-p-");
    assert_eq!(plan.warnings, ["the variable `NONE` is not set, and stands for nothing"]);
}

#[test]
fn an_environment_is_that_of_its_files_and_above_it_its_own() {
    let plan =
        plan_of("services: {a: {image: a, env_file: a.env, environment: {BESIDE: , GONE: }}}");
    let env = format!("{:?}", plan.services[0].spec.env);
    assert_eq!(
        env,
        r#"[("BESIDE", Value::Plain("yes")), ("ONE", Value::Plain("called")), ("TOKEN", Value::Secret("TOKEN"))]"#
    );
    refused(
        "services: {a: {image: a, env_file: none.env}}",
        "`services.a.env_file`: `/srv/none.env` is not there",
    );
    plan_of("services: {a: {image: a, env_file: [{path: none.env, required: false}]}}");
}

#[test]
fn only_what_is_used_is_made() {
    let plan = plan_of(
        "services: {a: {image: a, networks: [n], volumes: ['v:/v']}, b: {image: b, network_mode: none}}\n\
         networks: {n: {name: own}, unused: {}}\nvolumes: {v: , unused: }",
    );
    let networks: Vec<_> = plan.networks.iter().map(|it| it.spec.name.as_str()).collect();
    let volumes: Vec<_> = plan.volumes.iter().map(|it| it.spec.name.as_str()).collect();
    assert_eq!((networks, volumes), (vec!["own"], vec!["p_v"]));
    let plan = plan_of("services: {a: {image: a}}");
    assert_eq!(plan.networks[0].spec.name, "p_default");
}

#[test]
fn profiles_and_names_say_which_services_are_wanted() {
    let text = "services: {a: {image: a, depends_on: [b]}, b: {image: b}, c: {image: c, profiles: [x]}, \
                d: {image: d, profiles: [y], gpus: all, depends_on: {c: {condition: service_started, required: false}}}}";
    assert_eq!(names(&planned(text, None, &[], &[]).unwrap()), ["a", "b"]);
    assert_eq!(names(&planned(text, None, &["x"], &[]).unwrap()), ["a", "b", "c"]);
    assert_eq!(names(&planned(text, None, &[], &["b"]).unwrap()), ["b"]);
    assert_eq!(names(&planned(text, None, &[], &["a"]).unwrap()), ["a", "b"]);
    assert!(planned(text, None, &["y"], &[]).unwrap_err().message.contains("`services.d.gpus`"));
    assert_eq!(planned(text, None, &[], &["c"]).unwrap().known.len(), 4);
    let needy = "services: {a: {image: a, depends_on: [c]}, c: {image: c, profiles: [x]}}";
    assert!(
        planned(needy, None, &[], &[])
            .unwrap_err()
            .message
            .contains("needs the service `c`: no profile asks for it")
    );
}

#[test]
fn files_are_read_from_where_the_compose_file_is() {
    let plan = plan_of(
        "services: {a: {extends: {file: other/base.yaml, service: base}, secrets: [s], configs: [{source: c, target: sub/c, mode: 0400}]}}\n\
         secrets: {s: {file: secret}}\nconfigs: {c: {content: 'x$CALLED'}}",
    );
    let spec = &plan.services[0].spec;
    assert_eq!(spec.image, "b:yes");
    assert!(matches!(&spec.mounts[0], Mount::Bind(bind) if bind.source == "/srv/other/x"));
    let files: Vec<_> =
        spec.files.iter().map(|it| (it.path.as_str(), it.mode, &it.content)).collect();
    assert!(
        matches!(files[0], ("/sub/c", 0o400, FileContent::Bytes(bytes)) if bytes == b"xcalled")
    );
    assert!(
        matches!(files[1], ("/run/secrets/s", 0o444, FileContent::Bytes(bytes)) if bytes == b"hush")
    );
    for relative in
        ["env_file: a", "volumes: ['./x:/x']", "extends: {file: a, service: b}", "label_file: [a]"]
    {
        let error = planned(&format!("services: {{a: {{image: a, {relative}}}}}"), None, &[], &[])
            .unwrap_err();
        assert!(error.message.contains("is relative"), "{relative}: {}", error.message);
    }
}

#[test]
fn what_is_no_stack_is_refused_at_its_place() {
    refused("", "a Compose file is a map with `services`");
    refused("[]", "a Compose file is a map with `services`");
    refused("services: {}", "at least one service");
    refused("services: {a: b}", "`services.a`: it is a map");
    refused("services: {'a b': {image: a}}", "`services.a b`: a name has");
    refused("services: {a: {}}", "`services.a`: it has an `image`");
    refused("services: {a: {image: a, networks: [n]}}", "the file has no `networks.n`");
    refused("services: {a: {image: a, volumes: ['v:/v']}}", "the file has no `volumes.v`");
    refused(
        "services: {a: {image: a, volumes: ['/v:v']}}",
        "`v` is in the container, where paths are absolute",
    );
    refused("services: {a: {image: a, volumes: ['/v:/v:z']}}", "labels of SELinux");
    refused("services: {a: {image: a, secrets: [s]}}", "the file has no `secrets.s`");
    refused(
        "services: {a: {image: a, secrets: [{source: s, target: ../x}]}}\nsecrets: {s: {content: x}}",
        "`target` has no `..`",
    );
    refused("services: {a: {image: a, depends_on: [b]}}", "needs the service `b`: there is none");
    refused(
        "services: {a: {image: a, depends_on: [b]}, b: {image: b, depends_on: [a]}}",
        "goes in a circle: `a`, `b`",
    );
    refused("services: {a: {image: a, network_mode: 'service:b'}}", "there is no service `b`");
    refused(
        "services: {a: {image: a, network_mode: host, networks: [n]}}\nnetworks: {n: }",
        "it goes without `networks`",
    );
    refused("services: {a: {image: a, container_name: x, scale: 2}}", "for one container only");
    refused("services: {a: {image: a, scale: 201}}", "at most 200 containers");
    refused(
        "services: {a: {image: a, mem_limit: 1m, deploy: {resources: {limits: {memory: 2m}}}}}",
        "`mem_limit` of the service says otherwise",
    );
    refused(
        "services: {a: {image: a, command: \"sh 'x\"}}",
        "`services.a.command`: a quote is not closed",
    );
    refused("services: {a: {image: a, healthcheck: {test: [x]}}}", "it begins with `NONE`");
    refused("services: {a: {image: a, restart: sometimes}}", "`services.a.restart`: it is `no`");
    refused("services: {a: {image: a, deploy: {mode: global}}}", "it is `replicated`");
    refused("services: {a: {image: a, environment: {'': x}}}", "is no name of a variable");
    refused(
        "services: {a: {image: a, links: ['b:c']}, b: {image: b}}",
        "an alias below `networks`",
    );
    assert!(
        check_project("--help").is_err()
            && check_project("A").is_err()
            && check_project("a_b-1").is_ok()
    );
}
