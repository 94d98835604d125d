//! What git is told beside its arguments: our configuration, and who it is to a host. Pure.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use windlass_sdk::processes::Spec;

use crate::{Address, Credential, Settings, config::Config, script, writing};

/// This machine, as containers call it. Passwords may go there in the open.
const THIS_MACHINE: &str = "host.docker.internal";

/// What stands in the configuration of every repository, after what was let through of its own.
const OURS: &str = "\
[core]
	bare = false
	fsmonitor = false
	hooksPath = /dev/null
	untrackedCache = true
	filesRefLockTimeout = 5000
	packedRefsTimeout = 5000
[gc]
	auto = 0
[maintenance]
	auto = false
[advice]
	addEmbeddedRepo = false
[diff]
	ignoreSubmodules = all
[status]
	submoduleSummary = false
";

/// What counts above every other configuration, that of nested repositories too.
const ABOVE_ALL: &[(&str, &str)] = &[
    ("core.fsmonitor", "false"),
    ("core.hooksPath", "/dev/null"),
    ("core.sshCommand", "false"),
    ("core.gitProxy", ""),
    ("core.attributesFile", "/dev/null"),
    ("core.excludesFile", "/dev/null"),
    ("protocol.allow", "never"),
    ("protocol.http.allow", "always"),
    ("protocol.https.allow", "always"),
    ("protocol.file.allow", "always"),
    ("submodule.recurse", "false"),
    ("fetch.recurseSubmodules", "false"),
    ("push.recurseSubmodules", "no"),
    ("commit.gpgSign", "false"),
    ("tag.gpgSign", "false"),
    ("push.gpgSign", "false"),
    ("log.showSignature", "false"),
    ("credential.helper", ""),
    ("color.ui", "false"),
];

/// The environment that no command of ours goes without.
const ALWAYS: &[(&str, &str)] = &[
    ("GIT_ALLOW_PROTOCOL", "http:https:file"),
    ("GIT_PROTOCOL_FROM_USER", "0"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_CONFIG_NOSYSTEM", "1"),
    ("GIT_ATTR_NOSYSTEM", "1"),
    ("GIT_PAGER", "cat"),
    // Git knows this one, and starts nothing for it.
    ("GIT_EDITOR", ":"),
    ("GIT_SEQUENCE_EDITOR", ":"),
    ("GIT_MERGE_AUTOEDIT", "no"),
    ("GIT_NO_LAZY_FETCH", "1"),
    // Whatever repository git comes upon by itself is not ours, and what is written in it is not to be believed. Ours is named.
    ("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1"),
    ("LC_ALL", "C"),
];

/// All that a command is told.
pub(crate) struct Surroundings<'a> {
    pub(crate) settings: &'a Settings,
    /// What was let through of the repository's configuration.
    pub(crate) config: &'a Config,
    /// Whom it talks to.
    pub(crate) peers: &'a [Address],
    /// The line before the configuration that comes back. Empty: none does.
    pub(crate) marker: &'a str,
    /// Whether no other command like it may run at the same time.
    pub(crate) alone: bool,
    /// Whether it is for local work.
    pub(crate) local: bool,
}

impl Surroundings<'_> {
    /// The specification with all of it.
    pub(crate) fn add_to(&self, mut spec: Spec) -> Spec {
        let config = format!("{}{OURS}", self.config.text());
        let global = self.global();
        let key =
            if self.marker.is_empty() { hash(&[&config, &global]) } else { self.marker.to_owned() };
        for (name, value) in ALWAYS {
            spec = spec.env(*name, *value);
        }
        spec = spec.env(script::KEY, key).env(script::CONFIG, config).env(script::GLOBAL, global);
        spec = spec.env(script::RETURN, self.marker);
        let word = |yes| if yes { "yes" } else { "" };
        spec = spec.env(script::ALONE, word(self.alone)).env(script::LOCAL, word(self.local));
        let above = ABOVE_ALL.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let mut above: Vec<_> = above.collect();
        for (number, (place, credential)) in self.credentials().into_iter().enumerate() {
            above.push((format!("credential.{place}.helper"), helper(number)));
            spec = spec.env(format!("WINDLASS_GIT_USER_{number}"), &credential.username);
            spec = spec.secret_env(format!("WINDLASS_GIT_PASSWORD_{number}"), &credential.secret);
        }
        spec = spec.env("GIT_CONFIG_COUNT", above.len().to_string());
        for (number, (key, value)) in above.into_iter().enumerate() {
            spec = spec.env(format!("GIT_CONFIG_KEY_{number}"), key);
            spec = spec.env(format!("GIT_CONFIG_VALUE_{number}"), value);
        }
        spec
    }

    /// What counts below the repository's own: who commits, and which folders of this machine may be read as repositories.
    fn global(&self) -> String {
        let mut text = writing::head("user", None);
        text.push_str(&writing::line("name", &self.settings.user_name));
        text.push_str(&writing::line("email", &self.settings.user_email));
        text.push_str(&writing::head("safe", None));
        for peer in self.peers {
            if let Address::Local(path) = peer {
                text.push_str(&writing::line("directory", path));
                text.push_str(&writing::line("directory", &format!("{path}/.git")));
            }
        }
        text
    }

    /// The places among the peers that there are credentials for, each once.
    fn credentials(&self) -> Vec<(String, &Credential)> {
        let mut found: Vec<(String, &Credential)> = Vec::new();
        for peer in self.peers {
            let Address::Web { secure, host, .. } = peer else { continue };
            let scheme = if *secure { "https" } else { "http" };
            let place = format!("{scheme}://{host}");
            if let Some(credential) = self.settings.credential(*secure, host)
                && !found.iter().any(|(known, _)| *known == place)
            {
                found.push((place, credential));
            }
        }
        found
    }
}

impl Settings {
    /// Who one is to this host. Without `http://` in its name a credential is for HTTPS alone, but on this very machine.
    fn credential(&self, secure: bool, host: &str) -> Option<&Credential> {
        let name = |name: &str| name.rsplit_once(':').map_or(name, |(name, _)| name).to_owned();
        let bare = secure || name(host) == THIS_MACHINE;
        let found = self.credentials.iter().find(|(place, _)| {
            let place = place.trim_end_matches('/').to_ascii_lowercase();
            match place.split_once("://") {
                Some(("https", place)) => secure && place == host,
                Some(("http", place)) => !secure && place == host,
                Some(_) => false,
                None => bare && place == host,
            }
        });
        found.map(|(_, credential)| credential)
    }
}

/// A helper that answers only what git asks for to log in. The password is in its environment alone.
fn helper(number: usize) -> String {
    format!(
        "!f() {{ test \"$1\" = get && printf 'username=%s\\npassword=%s\\n' \"$WINDLASS_GIT_USER_{number}\" \"$WINDLASS_GIT_PASSWORD_{number}\"; }}; f"
    )
}

/// A short name for some texts. Two that share it share a folder, which gains nobody anything: all of them were let through.
fn hash(texts: &[&str]) -> String {
    let mut hasher = DefaultHasher::new();
    texts.hash(&mut hasher);
    format!("{:016x}-{}", hasher.finish(), texts.iter().map(|text| text.len()).sum::<usize>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(places: &[&str]) -> Settings {
        let credential = |place: &&str| {
            (
                (*place).to_owned(),
                Credential { username: "u".to_owned(), secret: (*place).to_owned() },
            )
        };
        Settings { credentials: places.iter().map(credential).collect(), ..Settings::default() }
    }

    #[track_caller]
    fn check(places: &[&str], secure: bool, host: &str, expected: Option<&str>) {
        let settings = settings(places);
        assert_eq!(settings.credential(secure, host).map(|it| it.secret.as_str()), expected);
    }

    #[test]
    fn a_credential_is_for_its_host_alone() {
        check(&["example.com"], true, "example.com", Some("example.com"));
        check(&["example.com"], false, "example.com", None);
        check(&["http://example.com"], false, "example.com", Some("http://example.com"));
        check(&["http://example.com"], true, "example.com", None);
        check(&["example.com"], true, "www.example.com", None);
        check(&["example.com"], true, "example.com:8443", None);
        check(&["Example.com:8443/"], true, "example.com:8443", Some("Example.com:8443/"));
        check(
            &["host.docker.internal:80"],
            false,
            "host.docker.internal:80",
            Some("host.docker.internal:80"),
        );
    }

    #[test]
    fn a_password_is_given_to_nobody_but_the_peer() {
        let settings = settings(&["a.example", "b.example"]);
        let peers = [Address::new("https://a.example/x").unwrap(), Address::new("/srv/x").unwrap()];
        let config = Config::default();
        let surroundings = Surroundings {
            settings: &settings,
            config: &config,
            peers: &peers,
            marker: "",
            alone: false,
            local: false,
        };
        let spec = surroundings.add_to(Spec::new(Vec::new()));
        let text = format!("{:?}", spec.env);
        assert!(text.contains("credential.https://a.example.helper"), "{text}");
        assert!(!text.contains("b.example"), "{text}");
        assert!(text.contains("/srv/x/.git"), "{text}");
    }
}
