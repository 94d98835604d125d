//! One service of a file as containers that are wanted.

use std::collections::BTreeMap;

use windlass_sdk::{
    Error,
    engine::{Device, Logging, Spec},
};

use super::{
    given, limits,
    load::Context,
    mounts, networking,
    plan::{Condition, Need, Pull, Service},
    ports, process,
    read::Node,
};

/// More containers than this are not made of one service.
const MOST_REPLICAS: u32 = 200;

pub(crate) fn read(name: &str, node: &Node<'_>, context: &Context<'_>) -> Result<Service, Error> {
    let mut needs = needs(node)?;
    let built = node.get("build").is_some();
    let image = match node.text_at("image")? {
        Some(image) if !image.trim().is_empty() => image,
        _ if built => format!("{}-{name}", context.project),
        _ => return Err(node.wrong("it has an `image`")),
    };
    let (networking, lender) = networking::networking(name, node, context)?;
    let (pid, pid_of) = shared(node, "pid", context)?;
    let (ipc, ipc_of) = shared(node, "ipc", context)?;
    for service in lender.into_iter().chain(pid_of).chain(ipc_of) {
        // A container that lends something has to be there first, and again when it is another one.
        needs.entry(service.clone()).or_insert(Need {
            service,
            condition: Condition::Started,
            required: true,
            restart: false,
        });
    }
    let mut spec = Spec::new("", image);
    spec.networking = networking;
    spec.pid = pid;
    spec.ipc = ipc;
    fill_process(&mut spec, node, context)?;
    fill_place(&mut spec, node, context)?;
    fill_walls(&mut spec, node)?;
    let service = Service {
        name: name.to_owned(),
        built,
        pull: pull(node)?,
        replicas: replicas(node)?,
        container_name: node.text_at("container_name")?,
        needs: needs.into_values().collect(),
        ports: ports::published(node)?,
        spec,
    };
    checked(service, node)
}

fn checked(service: Service, node: &Node<'_>) -> Result<Service, Error> {
    if service.replicas > 1 && service.container_name.is_some() {
        return Err(node.wrong("a `container_name` is for one container only"));
    }
    let last = service.ports.iter().find(|port| port.of_number(service.replicas.max(1)).is_none());
    if let Some((port, count)) = last.map(|port| (port.target, service.replicas)) {
        return Err(node.wrong(format!("`ports`: {count} containers cannot publish `{port}` at one place: give a range of as many ports, or none of the machine")));
    }
    Ok(service)
}

fn fill_process(spec: &mut Spec, node: &Node<'_>, context: &Context<'_>) -> Result<(), Error> {
    spec.platform = node.text_at("platform")?;
    spec.entrypoint = process::words(node, "entrypoint")?;
    spec.command = process::words(node, "command")?;
    spec.env = process::environment(node, context)?;
    spec.labels = process::labels(node, context)?;
    spec.user = node.text_at("user")?;
    spec.groups = node.texts_at("group_add")?;
    spec.working_dir = node.text_at("working_dir")?;
    spec.tty = node.flag_at("tty")?;
    spec.stdin_open = node.flag_at("stdin_open")?;
    spec.init = node.get("init").map(|it| it.flag()).transpose()?;
    spec.stop_signal = node.text_at("stop_signal")?;
    spec.stop_timeout_s = match node.get("stop_grace_period") {
        None => None,
        Some(node) => Some(
            u32::try_from(node.ms()?.div_ceil(1000)).map_err(|_| node.wrong("it is too long"))?,
        ),
    };
    spec.health = process::health(node)?;
    spec.restart = process::restart(node)?;
    spec.logging = node.get("logging").map(|it| logging(&it)).transpose()?;
    Ok(())
}

fn logging(node: &Node<'_>) -> Result<Logging, Error> {
    let driver = node.text_at("driver")?.unwrap_or_else(|| "json-file".to_owned());
    Ok(Logging { driver, options: node.pairs_at("options")? })
}

fn fill_place(spec: &mut Spec, node: &Node<'_>, context: &Context<'_>) -> Result<(), Error> {
    spec.hostname = node.text_at("hostname")?;
    spec.domainname = node.text_at("domainname")?;
    spec.expose = ports::exposed(node)?;
    spec.dns = node.texts_at("dns")?;
    spec.dns_search = node.texts_at("dns_search")?;
    spec.dns_options = node.texts_at("dns_opt")?;
    spec.extra_hosts = networking::extra_hosts(node)?;
    spec.mounts = mounts::mounts(node, context)?;
    spec.files = given::files(node, context)?;
    spec.resources = limits::resources(node)?;
    Ok(())
}

fn fill_walls(spec: &mut Spec, node: &Node<'_>) -> Result<(), Error> {
    spec.read_only = node.flag_at("read_only")?;
    spec.privileged = node.flag_at("privileged")?;
    spec.cap_add = node.texts_at("cap_add")?;
    spec.cap_drop = node.texts_at("cap_drop")?;
    spec.security = node.texts_at("security_opt")?;
    spec.devices = node.items_at("devices")?.iter().map(device).collect::<Result<_, _>>()?;
    spec.sysctls = node.pairs_at("sysctls")?;
    Ok(())
}

/// `source:target:permissions`, or the same by name.
fn device(node: &Node<'_>) -> Result<Device, Error> {
    let (source, target, permissions) = if node.value.is_object() {
        (node.need("source")?.text()?, node.text_at("target")?, node.text_at("permissions")?)
    } else {
        let text = node.text()?;
        let mut parts = text.splitn(3, ':').map(str::to_owned);
        (parts.next().unwrap_or_default(), parts.next(), parts.next())
    };
    if !source.starts_with('/') {
        return Err(
            node.wrong("it is `source:target:permissions`, and `source` a path of the machine")
        );
    }
    let target = target.unwrap_or_else(|| source.clone());
    Ok(Device { source, target, permissions: permissions.unwrap_or_else(|| "rwm".to_owned()) })
}

/// What a container shares with another one, and the service whose that is.
fn shared(
    node: &Node<'_>,
    key: &str,
    context: &Context<'_>,
) -> Result<(Option<String>, Option<String>), Error> {
    let Some(node) = node.get(key) else { return Ok((None, None)) };
    let text = node.text()?;
    let Some(service) = text.strip_prefix("service:") else { return Ok((Some(text), None)) };
    let container = context.container_of(&node, service)?;
    Ok((Some(format!("container:{container}")), Some(service.to_owned())))
}

pub(crate) fn needs(node: &Node<'_>) -> Result<BTreeMap<String, Need>, Error> {
    let started = |service: String| Need {
        service,
        condition: Condition::Started,
        required: true,
        restart: false,
    };
    let mut needs = BTreeMap::new();
    for item in node.items_at("links")? {
        let text = item.text()?;
        let (service, alias) = text.split_once(':').unwrap_or((&text, &text));
        if alias != service {
            return Err(
                item.wrong("give the other name as an alias below `networks` of that service")
            );
        }
        let service = service.to_owned();
        needs.insert(service.clone(), started(service));
    }
    let Some(depends) = node.get("depends_on") else { return Ok(needs) };
    if depends.value.is_array() {
        for item in depends.items()? {
            let service = item.text()?;
            needs.insert(service.clone(), started(service));
        }
        return Ok(needs);
    }
    for (service, node) in depends.entries()? {
        let mut need = started(service.to_owned());
        if let Some(condition) = node.get("condition") {
            need.condition = Condition::of_word(&condition.text()?).ok_or_else(|| {
                condition.wrong("it is `service_started`, `service_healthy` or `service_completed_successfully`")
            })?;
        }
        need.required = node.get("required").map_or(Ok(true), |it| it.flag())?;
        need.restart = node.flag_at("restart")?;
        needs.insert(service.to_owned(), need);
    }
    Ok(needs)
}

fn pull(node: &Node<'_>) -> Result<Pull, Error> {
    let Some(policy) = node.get("pull_policy") else { return Ok(Pull::Missing) };
    match policy.text()?.as_str() {
        "missing" | "if_not_present" => Ok(Pull::Missing),
        "always" | "refresh" => Ok(Pull::Always),
        "never" => Ok(Pull::Never),
        "build" => Err(policy.wrong("images are not built here: leave it out")),
        other => {
            Err(policy.wrong(format!("`{other}` is not done here: `missing`, `always` or `never`")))
        }
    }
}

fn replicas(node: &Node<'_>) -> Result<u32, Error> {
    let deploy = node.get("deploy");
    if let Some(mode) = deploy.as_ref().and_then(|it| it.get("mode"))
        && mode.text()? != "replicated"
    {
        return Err(mode.wrong("it is `replicated`: there is one machine"));
    }
    let replicas = deploy.map_or(Ok(None), |it| it.number_at("replicas"))?;
    let count = node.number_at("scale")?.or(replicas).unwrap_or(1);
    if count > MOST_REPLICAS {
        return Err(node.wrong(format!("it has at most {MOST_REPLICAS} containers")));
    }
    Ok(count)
}
