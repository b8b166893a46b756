//! axe-core, which finds what keeps people out of a page: names that are missing, contrasts that are too low.

use std::{fs::File, io::Read, path::Path, sync::OnceLock};

use serde_json::Value;

use crate::{
    Browser, HINT,
    postgres_package::{Result, fetched, npm},
};

/// From npm; pinned, as every version knows more rules.
const PACKAGE: &str = "axe-core@4.14.1";
const SCRIPT: &str = "package/axe.min.js";

const RUN: &str = "axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) =>
    violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(' ')).join(', ')}`))";

impl Browser {
    /// What is wrong with the page that is shown, by axe's rules: each with its elements.
    pub async fn barriers(&mut self) -> Value {
        static SOURCE: OnceLock<String> = OnceLock::new();
        let source = SOURCE.get_or_init(|| {
            fetched("axe", PACKAGE, "tgz", npm)
                .and_then(|tarball| script(&tarball))
                .unwrap_or_else(|error| panic!("{PACKAGE}: {error}\n{HINT}"))
        });
        self.value(&format!("{source};0")).await;
        self.value(RUN).await
    }
}

fn script(tarball: &Path) -> Result<String> {
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(File::open(tarball)?));
    for entry in archive.entries()? {
        let mut entry = entry?;
        if entry.path()?.as_ref() == Path::new(SCRIPT) {
            let mut source = String::new();
            entry.read_to_string(&mut source)?;
            return Ok(source);
        }
    }
    Err(format!("there is no {SCRIPT} in it").into())
}
