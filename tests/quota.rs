//! How much each caller may take, and that nobody's much is another one's too little.

mod calls;
mod containers;
mod disk;
mod jobs;
mod turns;

use std::thread;

use serde_json::{Value, json};

use crate::{
    access::key,
    support::{Setup, http::HttpHost},
};

/// A caller over HTTP, with a token of that name.
#[derive(Clone)]
struct Caller(String);

impl Caller {
    fn new(setup: &Setup, name: &str, roles: &[&str]) -> Self {
        Self(key(setup, name, roles))
    }

    /// What a tool answers, whole.
    fn call(&self, host: &HttpHost, tool: &str, arguments: Value) -> Value {
        let parameters = json!({"name": tool, "arguments": arguments});
        let answer = host.request_as(&self.0, "tools/call", parameters).message();
        assert!(answer["error"].is_null(), "{answer}");
        answer["result"].clone()
    }

    /// Calls it so often at once; gives all that is answered.
    fn call_at_once(
        &self,
        host: &HttpHost,
        times: usize,
        call: impl Fn(usize) -> (&'static str, Value) + Sync,
    ) -> Vec<Value> {
        let call = |number| {
            let (tool, arguments) = call(number);
            self.call(host, tool, arguments)
        };
        thread::scope(|scope| {
            let call = &call;
            let calls: Vec<_> =
                (0..times).map(|number| scope.spawn(move || call(number))).collect();
            calls.into_iter().map(|it| it.join().unwrap()).collect()
        })
    }
}

/// How many of these failed.
fn failed(results: &[Value]) -> usize {
    results.iter().filter(|result| result["isError"] == true).count()
}

/// Kills the host with -9, and starts another one in the same place.
fn killed(host: HttpHost) -> HttpHost {
    let (setup, _) = host.end();
    setup.http()
}
