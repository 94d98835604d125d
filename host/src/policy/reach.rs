//! What one container reaches of the places that its plugin is granted. It only narrows.

use std::sync::Arc;

use super::{Peer, egress::Line};
use crate::error::{Result, denied, invalid, limit};

/// More are a mistake, and a label has to hold them.
const MOST: usize = 64;
/// A name has at most 253 bytes, and a port 5.
const LONGEST: usize = 260;

/// Of the places that are granted, those that a container was made to reach.
#[derive(Clone, Debug, Default)]
pub enum Reach {
    /// All of them, whichever they are at the moment.
    #[default]
    Granted,
    /// Those that are among these.
    Only(Arc<[Place]>),
    Offline,
}

/// One of them, as it was written and as it is read.
#[derive(Debug)]
pub struct Place {
    written: String,
    line: Line,
}

impl Reach {
    /// Fails where a place cannot be read.
    pub fn new(offline: bool, places: Option<&[String]>) -> Result<Self> {
        let Some(places) = places else {
            return Ok(if offline { Self::Offline } else { Self::Granted });
        };
        if places.len() > MOST {
            let count = places.len();
            return Err(limit(format!("{count} places in `reach` are more than {MOST}")));
        }
        let places = places.iter().map(|place| Place::new(place)).collect::<Result<_>>()?;
        Ok(if offline { Self::Offline } else { Self::Only(places) })
    }

    pub(super) fn contains(&self, peer: &Peer) -> bool {
        match self {
            Self::Granted => true,
            Self::Only(places) => places.iter().any(|place| place.line.contains(peer)),
            Self::Offline => false,
        }
    }

    /// Whether it may contain anything.
    pub(super) fn leads_out(&self) -> bool {
        match self {
            Self::Granted => true,
            Self::Only(places) => !places.is_empty(),
            Self::Offline => false,
        }
    }

    /// Fails where it does not, and says what the container was made with.
    pub(super) fn check(&self, peer: &Peer) -> Result<()> {
        if self.contains(peer) {
            return Ok(());
        }
        let Self::Only(places) = self else {
            return Err(denied("not allowed: this container was made to be offline"));
        };
        let places: Vec<_> = places.iter().map(|place| format!("`{}`", place.written)).collect();
        let places = if places.is_empty() { "nothing".to_owned() } else { places.join(", ") };
        Err(denied(format!(
            "not allowed: the `reach` that this container was made with has no `{peer}`: it has {places}"
        )))
    }
}

impl Place {
    fn new(written: &str) -> Result<Self> {
        let wrong = |why: &str| invalid(format!("`{}` in `reach` {why}", written.escape_debug()));
        if written.len() > LONGEST {
            return Err(invalid(format!("a place in `reach` is longer than {LONGEST} bytes")));
        }
        let line = Line::read(written, false).map_err(|why| wrong(&why))?;
        Ok(Self { written: written.to_owned(), line })
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::{
        config::{Grants, parse},
        error::Failure,
        policy::{AskedContainer, Policy},
    };

    const GRANT: &str = "egress = ['a.example', '*.b.example:443', { to = '10.0.0.5:80', private = true }, '10.0.0.6:80']
        forwards = { 11434 = 'a.example:443', 5432 = { to = '10.0.0.5:5432', private = true } }";

    fn policy(grant: &str) -> Policy {
        let grants = Grants { containers: Some(parse(grant).unwrap()), ..Grants::default() };
        Policy::new("coder", grants).unwrap()
    }

    fn written(places: &[&str]) -> Vec<String> {
        places.iter().map(|&it| it.to_owned()).collect()
    }

    fn within(places: &[&str]) -> Policy {
        policy(GRANT).within(Reach::new(false, Some(&written(places))).unwrap())
    }

    fn told<T>(result: Result<T>, yes: impl FnOnce(T) -> String) -> String {
        match result {
            Ok(it) => yes(it),
            Err(Failure::Answer(error)) => format!("{:?}: {}", error.code, error.message),
            Err(Failure::Trap(error)) => panic!("{error}"),
        }
    }

    #[track_caller]
    fn check(places: &[&str], host: &str, port: u16, expected: &Expect) {
        let approved = within(places).approve_egress(host, port);
        expected.assert_eq(&told(approved, |peer| peer.request().to_string()));
    }

    #[test]
    fn it_narrows_what_is_granted() {
        check(&["a.example:443"], "A.example", 443, &expect!["a.example:443"]);
        check(
            &["a.example:443"],
            "a.example",
            80,
            &expect![
                "Code::Denied: not allowed: the `reach` that this container was made with has no `a.example:80`: it has `a.example:443`"
            ],
        );
        check(&["x.b.example", "*.a.example"], "x.b.example", 443, &expect!["x.b.example:443"]);
        check(
            &["x.b.example", "*.a.example"],
            "y.b.example",
            443,
            &expect![
                "Code::Denied: not allowed: the `reach` that this container was made with has no `y.b.example:443`: it has `x.b.example`, `*.a.example`"
            ],
        );
        check(&["*"], "a.example", 443, &expect!["a.example:443"]);
        check(
            &[],
            "a.example",
            443,
            &expect![
                "Code::Denied: not allowed: the `reach` that this container was made with has no `a.example:443`: it has nothing"
            ],
        );
    }

    #[test]
    fn it_grants_nothing() {
        check(
            &["c.example", "a.example"],
            "c.example",
            443,
            &expect![
                "Code::Denied: not allowed: `plugins.coder.grants.containers.egress` has no `c.example:443`"
            ],
        );
        check(&["10.0.0.5:80"], "10.0.0.5", 80, &expect!["10.0.0.5:80"]);
        check(
            &["*:*"],
            "10.0.0.6",
            80,
            &expect![
                "Code::Denied: not allowed: `10.0.0.6:80` is a private address; `private = true` in its line of `plugins.coder.grants.containers.egress` would allow it"
            ],
        );
    }

    #[test]
    fn a_forward_is_there_where_its_place_is_within() {
        let forwarded = |places: &[&str], port| {
            let policy = within(places);
            let place = told(policy.approve_forward(port), |peer| peer.request().to_string());
            format!("{:?} {place}", policy.egress_ports())
        };
        assert_eq!(forwarded(&["a.example:443"], 11434), "[3128, 11434] a.example:443");
        assert_eq!(
            forwarded(&["10.0.0.5:5432"], 11434),
            "[3128, 5432] Code::Denied: not allowed: the `reach` that this container was made with has no `a.example:443`: it has `10.0.0.5:5432`"
        );
        assert_eq!(forwarded(&["10.0.0.5:5432"], 5432), "[3128, 5432] 10.0.0.5:5432");
        assert!(forwarded(&[], 11434).starts_with("[] Code::Denied"));
        let all = policy(GRANT).within(Reach::new(false, None).unwrap());
        assert_eq!(all.egress_ports(), [3128, 11434, 5432]);
    }

    #[test]
    fn who_is_offline_reaches_nothing_whatever_else_is_said() {
        for places in [None, Some(written(&["a.example"]))] {
            let policy = policy(GRANT).within(Reach::new(true, places.as_deref()).unwrap());
            assert_eq!(policy.egress_ports(), [] as [u16; 0]);
            let offline = "Code::Denied: not allowed: this container was made to be offline";
            assert_eq!(told(policy.approve_egress("a.example", 443), |_| String::new()), offline);
            assert_eq!(told(policy.approve_forward(11434), |_| String::new()), offline);
        }
    }

    #[test]
    fn a_place_that_cannot_be_read_makes_no_container() {
        let long = "a".repeat(261);
        let many = ["a.example"; 65];
        let asked = |places: &[&str]| {
            let reach = Some(written(places));
            let image = "busybox".to_owned();
            let asked = AskedContainer { image, reach, ..AskedContainer::default() };
            told(policy("").approve_container(asked), |_| "yes".to_owned())
        };
        assert_eq!(asked(&["a.example", "*.b.example:*", "[::1]:80", "*"]), "yes");
        assert_eq!(asked(&[]), "yes");
        for (place, why) in [
            ("", "`` in `reach` has no host that can be read"),
            ("https://a.example", "`https://a.example` in `reach` has a scheme"),
            ("a.example/v1", "`a.example/v1` in `reach` names a path"),
            ("me@a.example", "`me@a.example` in `reach` names a user"),
            ("a.example:0", "`a.example:0` in `reach` has no port that can be read"),
            ("a.*.example", "`a.*.example` in `reach` has a `*` in the wrong place"),
            (long.as_str(), "a place in `reach` is longer than 260 bytes"),
        ] {
            let told = asked(&["b.example", place]);
            assert!(told.starts_with(&format!("Code::Invalid: {why}")), "{told}");
        }
        let told = asked(&many);
        assert_eq!(told, "Code::Limit: 65 places in `reach` are more than 64");
    }
}
