//! Places in Immich's page that the script found, or looked for in vain.
//!
//! The script tells their names and nothing else of the page. Here they are kept with the version of Immich, so that an owner
//! learns why an entry or a mark is missing.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    body::Body as _,
    header::{HOST, HeaderName},
};
use tokio::time::timeout;
use viewfinder_http::proxy::{Body, Visitor};

use crate::{
    client::{Client, VERSION},
    companion::{Companion, judge::user, metric, read::Read, reply},
    library::{Capabilities, Capability},
};

/// Where the script tells them.
pub(crate) const PATH: &str = "/_viewfinder/anchors";

/// What needs a place in the page.
pub(crate) const KNOWN: [Capability; 3] =
    [Capability::ViewerMenu, Capability::SelectionMenu, Capability::Marks];
/// The most bytes that are read; all the names there are have a tenth of it.
const MOST: u64 = 1024;
/// How long a version is believed; whoever tells much must not make Immich answer as much.
const VERSION_FOR: Duration = Duration::from_secs(60);
/// Said by browsers: where a request comes from.
const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What is known of the page of the Immich that there is.
#[derive(Default)]
pub(crate) struct Anchors(Mutex<State>);

#[derive(Default)]
struct State {
    seen: BTreeMap<Capability, AnchorRecord>,
    version: Option<String>,
    /// When Immich was last asked for its version.
    asked: Option<Instant>,
}

/// One place, in the page of one version.
#[derive(Default)]
struct AnchorRecord {
    missing: bool,
    version: Option<String>,
}

/// What the script tells.
#[derive(Default)]
struct AnchorReport {
    found: Vec<Capability>,
    missing: Vec<Capability>,
}

/// Hears what the script tells.
pub(crate) async fn answer(
    companion: &Companion,
    request: Request<Body>,
    visitor: &Visitor,
) -> Response<Body> {
    let refused = |message| reply::refusal(StatusCode::BAD_REQUEST, message);
    let too_long = || reply::refusal(StatusCode::PAYLOAD_TOO_LARGE, "this is too long");
    if !is_of_same_site(request.headers()) {
        return reply::refusal(StatusCode::FORBIDDEN, "only Immich's own page may tell this");
    }
    if request.body().size_hint().lower() > MOST {
        return too_long();
    }
    let Ok(read) = Read::json(companion, request, visitor).await else {
        return refused("this is no small JSON");
    };
    if read.bytes.len() as u64 > MOST {
        return too_long();
    }
    let Some(told) = told(&read).await else {
        return refused("missing and found must be lists of known names");
    };
    // Only Immich's users are heard: what they miss is told to the owner.
    if let Err(refusal) = user(companion, &read.parts, visitor).await {
        return refusal;
    }
    if companion.anchors.is_version_due() {
        let asked = version(&companion.client, visitor, read.parts.headers);
        if let Ok(Some(version)) = timeout(companion.time, asked).await {
            companion.anchors.lock().version = Some(version);
        }
    }
    companion.anchors.hear(&told);
    reply::done()
}

/// Browsers say so; whoever is no browser has nothing to say here that it could not say in other ways.
fn is_of_same_site(headers: &HeaderMap) -> bool {
    headers.get(SITE).is_none_or(|site| site == "same-origin")
}

async fn told(read: &Read) -> Option<AnchorReport> {
    let body = read.object().await?;
    let mut told = AnchorReport::default();
    for (key, value) in &body {
        let list = match key.as_str() {
            "missing" => &mut told.missing,
            "found" => &mut told.found,
            _ => return None,
        };
        for name in value.as_array()? {
            let name = name.as_str()?;
            list.push(KNOWN.into_iter().find(|known| known.name() == name)?);
        }
    }
    Some(told)
}

/// Asks Immich, as nobody in particular, as it writes its version itself: `v3.2.2`.
async fn version(client: &Client, visitor: &Visitor, headers: HeaderMap) -> Option<String> {
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.headers.extend(headers.get(HOST).map(|host| (HOST, host.clone())));
    client.as_sender(visitor, &parts, Method::GET, VERSION, None).await.ok()?.version()
}

impl Anchors {
    /// Switches off what the page has no place for.
    pub(crate) fn apply(&self, capabilities: &mut Capabilities) {
        for (capability, seen) in &self.lock().seen {
            if seen.missing {
                capabilities.lose(*capability, &reason(*capability, seen));
            }
        }
    }

    /// Must Immich be asked for its version? Whoever is told so asks.
    fn is_version_due(&self) -> bool {
        let mut state = self.lock();
        let due = state.asked.is_none_or(|asked| asked.elapsed() >= VERSION_FOR);
        if due {
            state.asked = Some(Instant::now());
        }
        due
    }

    fn hear(&self, told: &AnchorReport) {
        let mut state = self.lock();
        for capability in &told.missing {
            state.seen(*capability).missing = true;
            metric::anchor_missed(*capability);
        }
        for capability in &told.found {
            state.seen(*capability).missing = false;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Each change is a single step, so nothing is half done in it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// One place in the page of this version. Another version has another page, of which nothing is known yet.
    fn seen(&mut self, capability: Capability) -> &mut AnchorRecord {
        let seen = self.seen.entry(capability).or_default();
        if seen.version != self.version {
            *seen = AnchorRecord { version: self.version.clone(), ..AnchorRecord::default() };
        }
        seen
    }
}

fn reason(capability: Capability, seen: &AnchorRecord) -> String {
    let immich = seen.version.as_deref().map_or_else(String::new, |version| format!(" {version}"));
    let place = if capability == Capability::Marks { "picture" } else { "menu bar" };
    format!("the page of Immich{immich} has no {place} that Viewfinder knows")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost(anchors: &Anchors) -> Vec<(Capability, String)> {
        let mut capabilities = Capabilities::default();
        anchors.apply(&mut capabilities);
        capabilities.missing().collect()
    }

    #[test]
    fn what_is_missing_is_told_alike_for_each_version_until_it_is_found() {
        let anchors = Anchors::default();
        let missing = AnchorReport { missing: vec![Capability::SelectionMenu], ..AnchorReport::default() };
        let found = AnchorReport { found: vec![Capability::SelectionMenu], ..AnchorReport::default() };
        let told = |words: &str| {
            let loss = "the menu of a selection has no entries of Viewfinder";
            vec![(Capability::SelectionMenu, format!("{loss}: the page of Immich{words}"))]
        };
        anchors.hear(&missing);
        assert_eq!(lost(&anchors), told(" has no menu bar that Viewfinder knows"));
        anchors.lock().version = Some("v3.2.2".to_owned());
        // A reason that changes is told again in the log.
        for _ in 0..3 {
            anchors.hear(&missing);
            assert_eq!(lost(&anchors), told(" v3.2.2 has no menu bar that Viewfinder knows"));
        }
        anchors.hear(&found);
        assert_eq!(lost(&anchors), []);
        anchors.lock().version = Some("v3.3.0".to_owned());
        anchors.hear(&missing);
        assert_eq!(lost(&anchors), told(" v3.3.0 has no menu bar that Viewfinder knows"));
    }
}
