//! People in v3.2: a face belongs to a group, in which each user of a cluster has a person, with a name of their own.
use serde_json::{Value, json};
use uuid::Uuid;
use viewfinder_immich::{database::Database, library::Caller};

use crate::database::world::{World, names, parse, wait};

/// Two users of one cluster, each the other's partner, with a picture each that shows the same person: I call her Ana, the other Anita.
struct Cluster {
    world: World,
    library: Database,
    other: Uuid,
    ana: Uuid,
}

impl Cluster {
    /// In each layout that has groups.
    fn each() -> impl Iterator<Item = Self> {
        World::everywhere().filter(World::has_groups).map(|world| {
            let other = Uuid::from_u128(1);
            world.user_with(other, "other", Some(world.me));
            for (by, with) in [(other, world.me), (world.me, other)] {
                world.sql("INSERT INTO partner VALUES ($1, $2, true)", &[&by, &with]);
            }
            let ana = world.person(world.me, "Ana");
            world.named_by(ana, other, "Anita");
            // Only I know Bo, only the other knows Cy.
            let (bo, cy) = (world.person(world.me, "Bo"), world.person(other, "Cy"));
            for (owner, name, people) in [(world.me, "mine.jpg", [ana, bo]), (other, "theirs.jpg", [ana, cy])]
            {
                let picture = world.picture_of(owner, name);
                world.read(picture, &["words"]);
                for person in people {
                    world.face(picture, Some(person));
                }
                world.face(picture, None);
            }
            Self { library: world.open(), world, other, ana }
        })
    }

    fn search(&self, user: Uuid, body: &Value) -> viewfinder_immich::library::Page {
        let request = parse(body);
        wait(self.library.search(&Caller { user, elevated: false }, &request)).unwrap()
    }

    fn found(&self, user: Uuid, body: &Value) -> Vec<String> {
        let mut names = names(&self.search(user, body));
        names.sort_unstable();
        names
    }
}

#[test]
fn each_user_sees_their_own_names_also_on_a_partners_picture() {
    for cluster in Cluster::each() {
        for (user, expected) in [
            (cluster.world.me, [("mine.jpg", vec!["Ana", "Bo"]), ("theirs.jpg", vec!["Ana"])]),
            (cluster.other, [("mine.jpg", vec!["Anita"]), ("theirs.jpg", vec!["Anita", "Cy"])]),
        ] {
            let page = cluster.search(user, &json!({"ocr": "words", "withPeople": true}));
            for (name, people) in expected {
                let item = page.items.iter().find(|item| item["originalFileName"] == name).unwrap();
                let mut shown: Vec<&str> =
                    item["people"].as_array().unwrap().iter().map(|p| p["name"].as_str().unwrap()).collect();
                shown.sort_unstable();
                assert_eq!(shown, people, "{name}");
                let ana = item["people"].as_array().unwrap().iter().find(|p| p["id"] == json!(cluster.ana));
                assert!(ana.is_some_and(|ana| ana.get("faces").is_none()), "{item}");
                assert!(item.get("unassignedFaces").is_none());
            }
        }
    }
}

#[test]
fn names_are_those_that_the_caller_gave() {
    for cluster in Cluster::each() {
        let by_name =
            |user, name: &str| cluster.found(user, &json!({"query": format!("ocr:words person:{name}")}));
        let (me, other) = (cluster.world.me, cluster.other);
        let both = ["mine.jpg", "theirs.jpg"];
        assert_eq!(by_name(me, "ana"), both);
        assert_eq!(by_name(other, "Anita"), both);
        assert!(by_name(me, "Anita").is_empty() && by_name(other, "Ana").is_empty());
        assert_eq!(by_name(me, "Bo"), ["mine.jpg"]);
        assert!(by_name(me, "Cy").is_empty() && by_name(other, "Bo").is_empty());
    }
}

#[test]
fn ids_are_those_of_groups_whoever_asks() {
    for cluster in Cluster::each() {
        let group = |name: &str| -> Uuid {
            cluster.world.rows("SELECT \"personGroupId\" FROM person WHERE name = $1", &[&name])[0].get(0)
        };
        let (bo, cy) = (group("Bo"), group("Cy"));
        for user in [cluster.world.me, cluster.other] {
            let with = |ids: &[Uuid]| cluster.found(user, &json!({"ocr": "words", "personIds": ids}));
            assert_eq!(with(&[cluster.ana]), ["mine.jpg", "theirs.jpg"]);
            // Groups need no person of the caller's.
            assert_eq!(with(&[cluster.ana, bo]), ["mine.jpg"]);
            assert_eq!(with(&[cy]), ["theirs.jpg"]);
            assert!(with(&[bo, cy]).is_empty(), "all of them");
        }
    }
}

#[test]
fn before_v3_2_people_are_those_of_the_pictures_owner() {
    for world in World::everywhere().filter(|world| !world.has_groups()) {
        let partner = world.user("partner");
        world.partner(partner, true);
        let ana = world.person(partner, "Ana");
        let picture = world.picture_of(partner, "theirs.jpg");
        world.read(picture, &["words"]);
        world.face(picture, Some(ana));
        let library = world.open();
        let page = world.search(&library, json!({"ocr": "words", "withPeople": true})).unwrap();
        assert_eq!(page.items[0]["people"][0]["name"], "Ana");
        assert_eq!(world.found(&library, json!({"ocr": "words", "personIds": [ana]})), ["theirs.jpg"]);
    }
}
