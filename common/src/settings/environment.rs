//! Settings from outside the file: `LYCHGATE_SECTION__KEY` variables and command-line options.
//!
//! Works on a map, so that tests need no real environment. A variable with our prefix that names no setting is a
//! mistake (the reader finds it); only those that Kubernetes makes of a service's name are let pass.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    Faults,
    tree::{Node, Origin, Place, Section, Value},
};

/// What our variables start with.
pub(super) const PREFIX: &str = "LYCHGATE_";

/// Variables that are no settings but ours all the same: the settings file's path, and what tests tell their children.
const RESERVED: [&str; 2] = ["LYCHGATE_CONFIG", "LYCHGATE_TEST_"];

/// Lays every `LYCHGATE_SECTION__KEY` over the tree.
pub(super) fn overlay(root: &mut Section, origin: &Arc<Origin>, faults: &mut Faults) {
    let mut referenced = BTreeSet::new();
    references(root, &mut referenced);
    for (name, value) in &origin.environment {
        let Some(tail) = name.strip_prefix(PREFIX) else { continue };
        if referenced.contains(name) || RESERVED.iter().any(|reserved| name.starts_with(reserved)) {
            continue;
        }
        let key = tail.to_lowercase().replace("__", ".");
        if !key.contains('.') {
            if !is_service_link(tail) {
                faults.push(
                    name,
                    "is no setting: variables are named LYCHGATE_SECTION__KEY, with two underscores between",
                );
            }
            continue;
        }
        if key.starts_with("source.") {
            faults.push(name, "sources are set in the settings file; give their secrets as \"env:NAME\" there");
            continue;
        }
        let place = Place::Outside(name.as_str().into());
        let node = Section::outside(&key, value, &place, origin);
        root.set(&key, node);
    }
}

/// The variables that the tree refers to as `env:NAME`: whatever they are called, they are known.
fn references(section: &Section, names: &mut BTreeSet<String>) {
    fn of(node: &Node, names: &mut BTreeSet<String>) {
        match &node.value {
            Value::Text(text) => names.extend(text.strip_prefix("env:").map(str::to_owned)),
            Value::List(items) => items.iter().for_each(|item| of(item, names)),
            Value::Table(section) => references(section, names),
            Value::Integer(_) | Value::Flag(_) => {}
        }
    }
    section.entries.iter().for_each(|(_, node)| of(node, names));
}

/// Kubernetes gives every container `LYCHGATE_GATEWAY_SERVICE_HOST`, `LYCHGATE_PORT_8080_TCP_ADDR` and the like when a
/// service's name starts with `lychgate`; nobody wrote those.
fn is_service_link(tail: &str) -> bool {
    let tail = format!("_{tail}");
    tail.ends_with("_SERVICE_HOST")
        || tail.contains("_SERVICE_PORT")
        || tail.ends_with("_PORT")
        || tail.split("_PORT_").nth(1).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}
