//! The table of rooms in ARCHITECTURE.md is true: no room depends on what its line says it knows nothing of, by however many
//! steps.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::Command,
};

use serde_json::Value;

/// Rooms for the tests and chores of the others: they may know everybody.
const CHORES: [&str; 3] = ["fuzz", "test-support", "xtask"];

/// The workspace's packages, and what each package needs to run, directly.
struct Graph {
    /// Ids of our packages, by name.
    ours: BTreeMap<String, String>,
    /// Names by id.
    names: BTreeMap<String, String>,
    edges: BTreeMap<String, Vec<String>>,
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap()
}

impl Graph {
    fn read() -> Self {
        let output = Command::new(env!("CARGO"))
            .args(["metadata", "--format-version", "1", "--locked", "--offline"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
        let list = |value: &Value| value.as_array().unwrap().clone();
        let names: BTreeMap<_, _> = list(&metadata["packages"])
            .iter()
            .map(|package| (text(package, "id").to_owned(), text(package, "name").to_owned()))
            .collect();
        let ours = list(&metadata["workspace_members"]);
        let ours = ours.iter().map(|id| id.as_str().unwrap().to_owned());
        let needs = |node: &Value| {
            let normal = |dep: &&Value| list(&dep["dep_kinds"]).iter().any(|kind| kind["kind"].is_null());
            list(&node["deps"]).iter().filter(normal).map(|dep| text(dep, "pkg").to_owned()).collect()
        };
        Self {
            ours: ours.map(|id| (names[&id].trim_start_matches("viewfinder-").to_owned(), id)).collect(),
            edges: list(&metadata["resolve"]["nodes"])
                .iter()
                .map(|node| (text(node, "id").to_owned(), needs(node)))
                .collect(),
            names,
        }
    }

    /// How one package comes to need another, as a path of names, if it does.
    fn path(&self, from: &str, is_target: impl Fn(&str) -> bool) -> Option<Vec<&str>> {
        let mut seen = BTreeSet::from([from]);
        let mut paths = vec![vec![from]];
        while let Some(path) = paths.pop() {
            for next in self.edges.get(*path.last()?)? {
                let longer: Vec<_> = path.iter().copied().chain([next.as_str()]).collect();
                if is_target(next) {
                    return Some(longer.iter().map(|id| self.names[*id].as_str()).collect());
                }
                if seen.insert(next) {
                    paths.push(longer);
                }
            }
        }
        None
    }
}

/// Each room's line: its name, and the names in the column "knows nothing of".
fn table() -> BTreeMap<String, Vec<String>> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ARCHITECTURE.md");
    let page = std::fs::read_to_string(file).unwrap();
    let rows = page.lines().skip_while(|line| !line.starts_with("| room |")).skip(2);
    rows.take_while(|line| line.starts_with('|'))
        .map(|line| {
            let cells: Vec<_> = line.split('|').collect();
            let quoted =
                |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
            (quoted(cells[1]).remove(0), quoted(cells[3]))
        })
        .collect()
}

#[test]
fn no_room_knows_what_its_line_forbids() {
    let (graph, table) = (Graph::read(), table());
    for (room, forbidden) in &table {
        let id = graph.ours.get(room).unwrap_or_else(|| panic!("there is no crate {room}"));
        for name in forbidden {
            // Ours first: `http` is also a crate of others.
            let path = if let Some(target) = graph.ours.get(name) {
                graph.path(id, |id| id == target)
            } else {
                let is_known = graph.names.values().any(|known| known == name);
                assert!(is_known, "{room}: nobody needs {name} at all");
                graph.path(id, |id| graph.names[id] == *name)
            };
            assert_eq!(path, None, "{room} knows nothing of {name}, says ARCHITECTURE.md");
        }
    }
}

#[test]
fn every_room_has_a_line() {
    let rooms: BTreeSet<_> =
        Graph::read().ours.into_keys().filter(|name| !CHORES.contains(&name.as_str())).collect();
    assert_eq!(table().into_keys().collect::<BTreeSet<_>>(), rooms);
}
