//! A panic of the host's own in a call is answered, and costs that call.

use std::sync::Arc;

use windlass::{
    access::Caller,
    capability::{
        Level,
        tools::Outcome,
        types::{Abilities, Code},
    },
    config::Config,
    plugin::{Change, Nobody, Observer, Progress},
    registry::{Call, Places, Registry},
};

use crate::support::{Setup, cache, fixture};

/// Panics in the middle of a host function, as only a bug would.
struct Panics;

impl Observer for Panics {
    fn progress(&self, _: Progress) {
        panic!("on purpose");
    }

    fn log(&self, _: Level, _: String) {}

    fn changed(&self, _: Change) {}
}

#[test]
fn a_panic_of_the_host_is_answered() {
    let setup = Setup::new();
    let places = Places {
        cache: cache(),
        database: setup.path("windlass.db"),
        workspaces: setup.path("workspaces"),
        audit: None,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let registry = Registry::new(Config::default(), &places, &[]).unwrap();
        let wanted = registry.wanted(None, &[fixture("echo")]).unwrap();
        registry.load_all(&wanted).await.unwrap();
        let catalog = registry.catalog();
        let (tool, local) = (&catalog.tools["wait"], Caller::local());
        let wait = async |observer: Arc<dyn Observer>| {
            let entry = registry.entry(&local, String::new(), tool);
            let call = Call {
                caller: &local.space,
                arguments: "{\"milliseconds\": 1}",
                client: Abilities::empty(),
                answers: None,
                observer,
                entry: &entry,
                trial: None,
            };
            registry.call(tool, call).await
        };
        let error = wait(Arc::new(Panics)).await.unwrap_err();
        assert_eq!(error.code, Code::Other);
        assert_eq!(error.message, "the host failed in this call; its log says more");
        assert!(matches!(wait(Arc::new(Nobody)).await, Ok(Outcome::Done(_))));
    });
}
