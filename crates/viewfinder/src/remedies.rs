//! What to do about models that are not here and do not come.
use viewfinder_models::{Family, ModelEntry, Role, Store};

/// Advice about models of the catalogue, a line each.
pub(crate) fn remedies(store: &Store, models: &[&str]) -> Vec<String> {
    let entries: Vec<&ModelEntry> = models.iter().filter_map(|name| store.catalogue().find(name)).collect();
    let names = entries.iter().map(|entry| entry.name.as_str()).collect::<Vec<_>>().join(" ");
    let mut lines = vec![if store.is_offline() {
        format!(
            "without offline mode (store.offline), `viewfinder models pull {names}` fetches what is missing"
        )
    } else {
        format!(
            "`viewfinder models pull {names}` tries again at once; `viewfinder doctor` tells which sources answer"
        )
    }];
    if !store.is_offline() {
        lines.push(
            "a mirror of Hugging Face: HF_ENDPOINT=https://… (store.hf_endpoint); of ModelScope and GitHub: \
             store.modelscope_endpoint, store.github_endpoint"
                .to_owned(),
        );
    }
    lines.extend(entries.iter().map(|entry| by_hand(store, entry)));
    lines
}

/// Where the files of a model go that somebody brings.
fn by_hand(store: &Store, entry: &ModelEntry) -> String {
    let folder = store.root().join(&entry.name);
    if entry.family == Family::ChineseClip && entry.variant.is_none() {
        return format!(
            "{} by hand: `viewfinder models convert FILE` takes its published weights (.pt), or copy {} from another machine",
            entry.name,
            folder.display()
        );
    }
    let roles: Vec<Role> = entry.roles().into_iter().filter(|role| *role != Role::Classification).collect();
    let files = roles.iter().map(|role| format!("{role}/model.onnx")).collect::<Vec<_>>().join(" and ");
    format!("{} by hand: put {files} into {}", entry.name, folder.display())
}
