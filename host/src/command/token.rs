//! `windlass token`: who may call over HTTP besides whoever started the host.

use std::{process::ExitCode, time::Duration};

use anyhow::ensure;
use clap::{Args, Subcommand};
use serde::Serialize;

use super::{open::Common, output};
use crate::{
    access::Token as Kept,
    database::Database,
    time::{iso, now},
};

#[derive(Args)]
pub(super) struct Token {
    #[command(subcommand)]
    act: Act,
}

#[derive(Subcommand)]
enum Act {
    /// Makes a token and prints it, once.
    New {
        /// Who has it: letters, digits, `.`, `_` and `-`.
        name: String,
        /// A role of `access.roles`, or `admin` or `user`. May be repeated.
        #[arg(long = "role", required = true, value_name = "ROLE")]
        roles: Vec<String>,
        /// After how many days it ends. 0: never.
        #[arg(long, default_value_t = 90)]
        days: u32,
        #[command(flatten)]
        common: Common,
    },
    /// Lists the tokens there are. What they are is not kept.
    List {
        #[command(flatten)]
        common: Common,
    },
    /// Ends a token. From the next request on it lets nobody in.
    Revoke {
        name: String,
        #[command(flatten)]
        common: Common,
    },
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Serialize)]
struct Row {
    name: String,
    roles: Vec<String>,
    created: String,
    expires: Option<String>,
    state: &'static str,
    /// Only when it is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

impl Token {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        match self.act {
            Act::New { name, roles, days, common } => new(&name, roles, days, &common).await?,
            Act::List { common } => {
                let rows: Vec<_> = Kept::all(&common.database()?).await?.iter().map(row).collect();
                common.print(&rows, || table(&rows))?;
            }
            Act::Revoke { name, common } => {
                let token = Kept::revoke(&common.database()?, &name).await?;
                common.note("token revoke", format!("token {name}")).await?;
                common.print(&row(&token), || format!("`{name}` lets nobody in any more"))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Common {
    fn database(&self) -> anyhow::Result<Database> {
        self.opening.state.make()?;
        Ok(Database::at(&self.opening.state.database()?))
    }

    /// Records what was done.
    async fn note(&self, act: &str, effect: String) -> anyhow::Result<()> {
        if !self.opening.config()?.audit.enabled {
            return Ok(());
        }
        super::audit::note(&self.opening.state.record()?, act, effect).await
    }
}

async fn new(name: &str, roles: Vec<String>, days: u32, common: &Common) -> anyhow::Result<()> {
    let access = common.opening.config()?.access;
    for role in &roles {
        ensure!(
            access.role(role).is_some(),
            "there is no role `{role}`: write `[access.roles.{role}]`, or take `admin` or `user`"
        );
    }
    let life = u64::try_from((DAY * days).as_millis()).unwrap_or(u64::MAX);
    let expires = (days > 0).then(|| now().saturating_add(life));
    let made = Kept::make(&common.database()?, name, roles, expires).await?;
    if !common.json {
        output::to_stderr("This is the only time that it is shown:");
    }
    let (name, roles) = (&made.token.name, made.token.roles.join(", "));
    common.note("token new", format!("token {name} with the roles {roles}")).await?;
    let row = Row { token: Some(made.secret.clone()), ..row(&made.token) };
    common.print(&row, || made.secret)
}

fn row(token: &Kept) -> Row {
    let state = match token {
        Kept { revoked: Some(_), .. } => "revoked",
        token if token.is_good(now()) => "good",
        _ => "expired",
    };
    Row {
        name: token.name.clone(),
        roles: token.roles.clone(),
        created: iso(token.created),
        expires: token.expires.map(iso),
        state,
        token: None,
    }
}

fn table(rows: &[Row]) -> String {
    if rows.is_empty() {
        return "there is none; `windlass token new <name> --role <role>` makes one".to_owned();
    }
    let heading = ["NAME", "ROLES", "STATE", "CREATED", "EXPIRES"];
    let rows = rows.iter().map(|row| {
        let expires = row.expires.as_deref().unwrap_or("never");
        [&*row.name, &*row.roles.join(", "), row.state, &*row.created, expires].map(str::to_owned)
    });
    output::table(heading, rows.collect())
}
