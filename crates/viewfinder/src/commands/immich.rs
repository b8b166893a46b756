//! An Immich's library: what is missing in it, and doing it again.
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, anyhow};
use viewfinder_catalog::query::Query;
use viewfinder_immich::database::{Database, Error, MediaPreviews, Progress, Status, Which};
use viewfinder_immich::library::RerunKind;

use super::index::{Session, with_engine};
use super::{look::json_line, on_threads};
use crate::cli::{ImmichReindexArgs, ImmichVerb};
use crate::companion::{database_config, media_folder};
use crate::config::{Config, Loaded};
use crate::failure::{Failure, Outcome};
use crate::output;

/// Progress is told after so many pictures.
const TOLD: u64 = 100;
/// So many failures are told one by one.
const NAMED: usize = 20;

/// Opens the database of the companion, and tells its state or does pictures again.
pub(crate) fn run(verb: &ImmichVerb, loaded: &Loaded) -> Result<Outcome, Failure> {
    on_threads(with_engine(loaded, false, |Session { backend, stop, .. }| async move {
        let config = database_config(&loaded.config, &backend)?.ok_or_else(|| {
            Failure::Usage(anyhow!("no database of Immich's is configured; set companion.database_url"))
        })?;
        let database = Database::open(config).await.map_err(failure)?;
        match verb {
            ImmichVerb::Status { json: true } => json_line(&database.status().await.map_err(failure)?)?,
            ImmichVerb::Status { json: false } => {
                output::text(&shown(&database.status().await.map_err(failure)?))?;
            }
            ImmichVerb::Reindex(args) => {
                return reindex(&database, args, &loaded.config, || !stop.is_cancelled()).await;
            }
        }
        Ok(Outcome::Done)
    }))
}

fn failure(error: Error) -> Failure {
    Failure::Environment(error.into())
}

fn shown(status: &Status) -> String {
    let Status { immich, people, capabilities, assets, ocr, clip, follower } = status;
    let number =
        |number: Option<u64>| number.map_or_else(|| "an unknown number".to_owned(), |n| n.to_string());
    let people = match *people {
        "group" => "of a group of users, each with names of their own",
        _ => "of the owner of a picture",
    };
    let reader = if ocr.by_immich { "Immich" } else { "Viewfinder" };
    let model = clip.model.as_deref().unwrap_or("switched off");
    let width =
        clip.width.map_or_else(|| "of an unknown kind".to_owned(), |width| format!("{width} numbers"));
    let state = if follower.caught_up { "" } else { ", still catching up" };
    let mut text = format!(
        "Immich:  {immich}, {} pictures and videos\n\
         people:  {people}\n\
         text:    {}, read by {reader}; {} not read yet\n\
         vectors: {model}, {width}, index {}; {} there, {} missing\n\
         search:  {} of {} texts can be found{state}\n",
        number(*assets),
        ocr.model,
        number(ocr.missing),
        clip.index,
        number(clip.vectors),
        number(clip.missing),
        number(follower.taken_over),
        number(follower.read)
    );
    for (_, told) in capabilities.missing() {
        text.push_str(&format!("missing: {told}\n"));
    }
    text
}

async fn reindex(
    database: &Database,
    args: &ImmichReindexArgs,
    config: &Config,
    goes_on: impl Fn() -> bool + Sync,
) -> Result<Outcome, Failure> {
    let kind = if args.kind == "ocr" { RerunKind::Ocr } else { RerunKind::Clip };
    let which = if args.all { Which::All } else { Which::Missing };
    let only =
        Query::parse(args.only.as_deref().unwrap_or_default()).context("--where").map_err(Failure::Usage)?;
    let media = media_folder(config, args.media.as_ref(), args.media_prefix.as_ref()).ok_or_else(|| {
        Failure::Usage(anyhow!("say where Immich's media are, with --media or companion.media"))
    })?;
    let named = AtomicUsize::new(0);
    let Progress { all, done, failed } = database
        .reindex(kind, which, &only, &MediaPreviews { database, media: &media }, |progress, failure| {
            let named = |_: &_| named.fetch_add(1, Ordering::Relaxed) < NAMED;
            if let Some((asset, error)) = failure.filter(named) {
                output::complain(&format!("{asset}: {error}"));
            }
            let Progress { all, done, failed } = progress;
            if (done + failed) % TOLD == 0 {
                output::complain(&format!("{done} of {all} done, {failed} failed"));
            }
            goes_on()
        })
        .await
        .map_err(failure)?;
    output::line(&format!("{done} of {all} done, {failed} failed"))?;
    if done + failed < all {
        output::complain("stopped; the same command goes on from here");
    }
    Ok(if done == all { Outcome::Done } else { Outcome::SomeFailed })
}
