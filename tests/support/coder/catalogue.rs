//! The templates that the deployment has, each for something that a client must tell from the rest.

pub(super) struct Organization {
    pub(super) id: &'static str,
    pub(super) name: &'static str,
}

pub(super) struct Template {
    pub(super) id: &'static str,
    pub(super) name: &'static str,
    pub(super) display_name: &'static str,
    pub(super) organization: &'static Organization,
    /// Why it is not to be used any more, or nothing.
    pub(super) deprecation: &'static str,
    /// The first one is active.
    pub(super) versions: &'static [Version],
}

pub(super) struct Version {
    pub(super) id: &'static str,
    pub(super) name: &'static str,
    pub(super) has_ai_task: bool,
    /// How its import ended.
    pub(super) job: &'static str,
    pub(super) parameters: &'static [Parameter],
    pub(super) presets: &'static [Preset],
}

pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) kind: &'static str,
    /// None: it has to be given.
    pub(super) default: Option<&'static str>,
    pub(super) options: &'static [&'static str],
}

pub(super) struct Preset {
    pub(super) id: &'static str,
    pub(super) name: &'static str,
    pub(super) is_default: bool,
    pub(super) values: &'static [(&'static str, &'static str)],
}

pub(super) const ORGANIZATIONS: [Organization; 2] = [
    Organization { id: "0b6c0f27-53b3-4a3c-9a2f-6f0a0f7b7c11", name: "coder" },
    Organization { id: "0b6c0f27-53b3-4a3c-9a2f-6f0a0f7b7c12", name: "research" },
];

const REGION: Parameter =
    Parameter { name: "region", kind: "string", default: None, options: &["eu", "us"] };
const CPUS: Parameter =
    Parameter { name: "cpus", kind: "number", default: Some("2"), options: &[] };
const DOTFILES: Parameter =
    Parameter { name: "dotfiles", kind: "string", default: Some(""), options: &[] };

/// One for tasks that needs nothing more than a prompt.
pub(super) static TASKS: Template = Template {
    id: "7e3b1a10-0000-4000-8000-000000000001",
    name: "tasks-docker",
    display_name: "Tasks on Docker",
    organization: &ORGANIZATIONS[0],
    deprecation: "",
    versions: &[
        Version {
            id: "7e3be510-0000-4000-8000-000000000001",
            name: "brave_noether2",
            has_ai_task: true,
            job: "succeeded",
            parameters: &[CPUS, DOTFILES],
            presets: &[
                Preset {
                    id: "94e5e710-0000-4000-8000-000000000001",
                    name: "Small",
                    is_default: true,
                    values: &[("cpus", "1")],
                },
                Preset {
                    id: "94e5e710-0000-4000-8000-000000000002",
                    name: "Large",
                    is_default: false,
                    values: &[("cpus", "8")],
                },
            ],
        },
        Version {
            id: "7e3be510-0000-4000-8000-000000000011",
            name: "brave_noether1",
            has_ai_task: false,
            job: "succeeded",
            parameters: &[],
            presets: &[],
        },
    ],
};

/// One for tasks that needs a value, which its only preset gives.
static REGIONAL: Template = Template {
    id: "7e3b1a10-0000-4000-8000-000000000002",
    name: "tasks-regional",
    display_name: "Tasks in a region",
    organization: &ORGANIZATIONS[0],
    deprecation: "",
    versions: &[Version {
        id: "7e3be510-0000-4000-8000-000000000002",
        name: "calm_euler1",
        has_ai_task: true,
        job: "succeeded",
        parameters: &[REGION, CPUS],
        presets: &[Preset {
            id: "94e5e710-0000-4000-8000-000000000003",
            name: "Europe",
            is_default: false,
            values: &[("region", "eu")],
        }],
    }],
};

/// One for workspaces without a task.
static PLAIN: Template = Template {
    id: "7e3b1a10-0000-4000-8000-000000000003",
    name: "plain",
    display_name: "",
    organization: &ORGANIZATIONS[0],
    deprecation: "",
    versions: &[Version {
        id: "7e3be510-0000-4000-8000-000000000003",
        name: "keen_gauss1",
        has_ai_task: false,
        job: "succeeded",
        parameters: &[REGION, DOTFILES],
        presets: &[],
    }],
};

static RETIRED: Template = Template {
    id: "7e3b1a10-0000-4000-8000-000000000004",
    name: "retired",
    display_name: "",
    organization: &ORGANIZATIONS[0],
    deprecation: "Use tasks-docker.",
    versions: &[Version { id: "7e3be510-0000-4000-8000-000000000004", ..BARE }],
};

/// One whose active version could not be imported.
static BROKEN: Template = Template {
    id: "7e3b1a10-0000-4000-8000-000000000005",
    name: "broken",
    display_name: "",
    organization: &ORGANIZATIONS[0],
    deprecation: "",
    versions: &[Version { id: "7e3be510-0000-4000-8000-000000000005", job: "failed", ..BARE }],
};

/// The same name in another organization.
static RESEARCH: Template = Template {
    id: "7e3b1a10-0000-4000-8000-000000000006",
    name: "plain",
    display_name: "",
    organization: &ORGANIZATIONS[1],
    deprecation: "",
    versions: &[Version { id: "7e3be510-0000-4000-8000-000000000006", ..BARE }],
};

const BARE: Version = Version {
    id: "",
    name: "shy_cantor1",
    has_ai_task: true,
    job: "succeeded",
    parameters: &[],
    presets: &[],
};

/// One of the first generation, which is told what to do by a parameter.
static PROMPTED: Template = Template {
    id: "7e3b1a10-0000-4000-8000-000000000007",
    name: "prompted",
    display_name: "",
    organization: &ORGANIZATIONS[0],
    deprecation: "",
    versions: &[Version {
        id: "7e3be510-0000-4000-8000-000000000007",
        parameters: &[
            Parameter { name: "AI Prompt", kind: "string", default: Some(""), options: &[] },
            CPUS,
        ],
        ..BARE
    }],
};

pub(super) static TEMPLATES: [&Template; 7] =
    [&TASKS, &REGIONAL, &PLAIN, &RETIRED, &BROKEN, &RESEARCH, &PROMPTED];
