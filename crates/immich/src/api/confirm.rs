//! Which of the pictures found here Immich gives to the caller, with the request's filters.
//!
//! Filters are Immich's: people, tags, albums and places are known there only. It is asked about one picture after the other,
//! best first, until a page is full; or, where filters let through so few that they fit on one of its pages, for all of
//! them at once.
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use serde_json::Value;
use uuid::Uuid;

use crate::{api::filters::MetadataFilters, library::ImmichAsCaller, recent::Recent};

/// Pictures asked about at once.
const CHUNK: usize = 24;
/// The most pictures on a page of Immich's.
const LIST: usize = 1000;
/// Searches that are remembered: whoever turns pages goes on in one of the last.
const KEPT: usize = 32;
/// Kept no longer, because what Immich gives may change.
const FRESH: Duration = Duration::from_secs(120);

/// A search, ranked, with Immich's word on its best pictures.
#[derive(Clone, Debug)]
pub(crate) struct Ranking {
    /// Whose it is, and what was asked, but for the page.
    key: (Uuid, String),
    ranked: Vec<Uuid>,
    /// For as many of `ranked` as were asked about.
    given: Vec<bool>,
    at: Instant,
}

/// Searches of the last minutes.
pub(crate) struct Rankings(Recent<(Uuid, String), Ranking>);

impl Default for Rankings {
    fn default() -> Self {
        Self(Recent::new(KEPT, FRESH))
    }
}

impl Rankings {
    /// The ranking of a search, as it was a moment ago or as `rank` makes it.
    pub(crate) async fn get<E>(
        &self,
        user: Uuid,
        body: &Value,
        rank: impl Future<Output = Result<Vec<Uuid>, E>>,
    ) -> Result<Ranking, E> {
        let mut asked = body.as_object().cloned().unwrap_or_default();
        // The first page is always made anew.
        let pages = [asked.remove("page").filter(|page| *page != 1), asked.remove("cursor")];
        let first = pages.iter().all(Option::is_none);
        let key = (user, Value::Object(asked).to_string());
        match self.0.get(&key).filter(|_| !first) {
            Some((known, _)) => Ok(known),
            None => Ok(Ranking { key, ranked: rank.await?, given: Vec::new(), at: Instant::now() }),
        }
    }

    /// Keeps it for the next page.
    pub(crate) fn keep(&self, ranking: Ranking) {
        let since = ranking.at;
        self.0.keep(ranking.key.clone(), ranking, since);
    }
}

impl Ranking {
    /// The pictures of a page, as Immich gives them to the caller, and whether there are more; nothing past `deadline`, since
    /// nobody waits then.
    ///
    /// # Errors
    /// One line, if Immich does not answer.
    pub(crate) async fn page(
        &mut self,
        places: std::ops::Range<usize>,
        filters: &MetadataFilters,
        immich: &dyn ImmichAsCaller,
        deadline: Instant,
    ) -> Result<(Vec<Value>, bool), String> {
        if let Some(list) = self.list(filters, immich).await? {
            let mut all = list;
            let found: Vec<Value> = self.ranked.iter().filter_map(|id| all.remove(id)).collect();
            let more = found.len() > places.end;
            return Ok((found.into_iter().skip(places.start).take(places.len()).collect(), more));
        }
        // Of pages before this one, it is known which pictures were on them.
        let given = self.given.iter().enumerate().filter(|(_, given)| **given).map(|(place, _)| place);
        let mut before = given.clone().count().min(places.start);
        let mut next = given.clone().nth(places.start).unwrap_or(self.given.len());
        let mut page = Vec::new();
        while next < self.ranked.len() && page.len() <= places.len() {
            if Instant::now() > deadline {
                return Err("there was no time to ask Immich about everything that was found".to_owned());
            }
            let chunk = &self.ranked[next..self.ranked.len().min(next + CHUNK)];
            let bodies = chunk.iter().map(|id| filters.about(*id)).collect();
            for answer in immich.search(bodies).await {
                let item = items(answer?).0.pop();
                if next == self.given.len() {
                    self.given.push(item.is_some());
                }
                next += 1;
                match item {
                    Some(_) if before < places.start => before += 1,
                    Some(item) => page.push(item),
                    None => {}
                }
            }
        }
        let more = page.len() > places.len();
        page.truncate(places.len());
        Ok((page, more))
    }

    /// Everything that narrow filters let through, if that is not too much.
    async fn list(
        &self,
        filters: &MetadataFilters,
        immich: &dyn ImmichAsCaller,
    ) -> Result<Option<HashMap<Uuid, Value>>, String> {
        if self.ranked.len() <= CHUNK || !filters.narrow {
            return Ok(None);
        }
        let answer = immich.search(vec![filters.all(LIST)]).await.pop().ok_or("Immich gave no answer")?;
        let (items, more) = items(answer?);
        let by_id = |item: Value| Some((Uuid::parse_str(item.get("id")?.as_str()?).ok()?, item));
        Ok((!more).then(|| items.into_iter().filter_map(by_id).collect()))
    }
}

/// The pictures of an answer, and whether it has more pages.
fn items(mut answer: Value) -> (Vec<Value>, bool) {
    let assets = answer.get_mut("assets").map(Value::take).unwrap_or_default();
    let more =
        ["nextPage", "nextCursor"].iter().any(|next| assets.get(*next).is_some_and(|next| !next.is_null()));
    let Value::Object(mut assets) = assets else { return (Vec::new(), more) };
    match assets.remove("items") {
        Some(Value::Array(items)) => (items, more),
        _ => (Vec::new(), more),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use crate::library::{Caller, SearchRoute};
    use async_trait::async_trait;
    use bytes::Bytes;
    use serde_json::json;

    use super::*;

    /// Gives pictures with even numbers, and remembers how many questions there were.
    #[derive(Default)]
    struct Even(Mutex<Vec<Value>>);

    fn id(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    #[async_trait]
    impl ImmichAsCaller for Even {
        async fn preview(&self, _: Uuid) -> Result<Bytes, String> {
            Err("nobody asks".to_owned())
        }

        async fn search(&self, bodies: Vec<Value>) -> Vec<Result<Value, String>> {
            let answer = |body: &Value| {
                let one = body["id"].as_str().map(|id| Uuid::parse_str(id).unwrap().as_u128());
                let numbers: Vec<u128> = one.map_or_else(|| (0..60).collect(), |one| vec![one]);
                let even = numbers.into_iter().filter(|number| number % 2 == 0);
                let items: Vec<_> = even.map(|number| json!({"id": id(number)})).collect();
                Ok(json!({"assets": {"items": items, "nextPage": null}}))
            };
            let answers = bodies.iter().map(answer).collect();
            self.0.lock().unwrap().extend(bodies);
            answers
        }
    }

    fn ranking(count: u128) -> Ranking {
        let ranked = (0..count).map(id).collect();
        Ranking { key: (id(0), String::new()), ranked, given: Vec::new(), at: Instant::now() }
    }

    fn filters(body: &Value) -> MetadataFilters {
        MetadataFilters::of(&Caller { user: id(0), elevated: false }, SearchRoute::Smart, body).unwrap()
    }

    fn ids(page: &[Value]) -> Vec<u128> {
        page.iter().map(|item| Uuid::parse_str(item["id"].as_str().unwrap()).unwrap().as_u128()).collect()
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    #[tokio::test]
    async fn pages_have_what_immich_gives_and_nothing_twice() {
        let body = filters(&json!({"query": "x", "size": 20}));
        let immich = Even::default();
        let mut kept = ranking(100);
        let mut all = Vec::new();
        for start in [0, 20, 40, 60] {
            let (page, more) = kept.page(start..start + 20, &body, &immich, soon()).await.unwrap();
            assert_eq!(more, start < 40, "{start}");
            // The same from the beginning.
            let (again, _) =
                ranking(100).page(start..start + 20, &body, &Even::default(), soon()).await.unwrap();
            assert_eq!(again, page);
            all.extend(ids(&page));
        }
        assert_eq!(all, (0..100).step_by(2).collect::<Vec<_>>());
        let asked = immich.0.lock().unwrap();
        assert_eq!(asked[0], json!({"id": id(0), "size": 1}));
        assert!(asked.len() < 200, "pages that were shown are not asked about again: {}", asked.len());
    }

    #[tokio::test]
    async fn narrow_filters_are_asked_for_at_once() {
        let body = filters(&json!({"query": "x", "size": 20, "city": "Rome", "withPeople": true}));
        let immich = Even::default();
        let (page, more) = ranking(100).page(20..40, &body, &immich, soon()).await.unwrap();
        // The list has no picture above 59.
        assert_eq!(ids(&page), (40..60).step_by(2).collect::<Vec<_>>());
        assert!(!more);
        assert_eq!(*immich.0.lock().unwrap(), [json!({"city": "Rome", "size": 1000})]);
        let none = filters(&json!({"query": "x", "personIds": [], "visibility": "timeline"}));
        let immich = Even::default();
        ranking(100).page(0..5, &none, &immich, soon()).await.unwrap();
        assert!(immich.0.lock().unwrap().iter().all(|body| body["id"].is_string()));
        let some = filters(&json!({"query": "x", "personIds": ["p"]}));
        let immich = Even::default();
        ranking(100).page(0..5, &some, &immich, soon()).await.unwrap();
        assert_eq!(immich.0.lock().unwrap().len(), 1);
    }

    #[tokio::test]
    async fn nobody_is_asked_for_an_answer_that_comes_too_late() {
        let immich = Even::default();
        let late = Instant::now();
        std::thread::sleep(Duration::from_millis(1));
        assert!(ranking(100).page(0..5, &filters(&json!({"query": "x"})), &immich, late).await.is_err());
        assert!(immich.0.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn later_pages_go_on_in_the_same_ranking() {
        let rankings = Rankings::default();
        let rank = |count: u128| std::future::ready(Ok::<_, ()>((0..count).map(id).collect()));
        let first = rankings.get(id(1), &json!({"query": "x"}), rank(5)).await.unwrap();
        rankings.keep(first);
        let ranked = async |user: u128, body: Value| {
            rankings.get(id(user), &body, rank(9)).await.unwrap().ranked.len()
        };
        assert_eq!(ranked(1, json!({"query": "x", "page": 2})).await, 5);
        assert_eq!(ranked(1, json!({"query": "x", "page": 1})).await, 9);
        assert_eq!(ranked(2, json!({"query": "x", "page": 2})).await, 9);
        assert_eq!(ranked(1, json!({"query": "y", "page": 2})).await, 9);
        let filter = json!({"ocr": {"matches": "x"}});
        rankings.keep(rankings.get(id(1), &json!({"filter": filter}), rank(5)).await.unwrap());
        assert_eq!(ranked(1, json!({"filter": filter, "cursor": "eyJvZmZzZXQiOjJ9"})).await, 5);
        assert_eq!(ranked(1, json!({"filter": filter})).await, 9);
    }
}
