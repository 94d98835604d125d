//! A host that is told of a Coder by nothing but the environment.

use super::{
    Setup,
    coder::{Coder, TOKEN},
};

impl Coder {
    /// A host whose environment names this Coder and its token.
    pub(crate) fn setup(&self) -> Setup {
        let setup = Setup::new().bundled().environment("CODER_URL", &self.origin());
        setup.environment("CODER_SESSION_TOKEN", TOKEN)
    }
}
