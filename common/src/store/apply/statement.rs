//! The text of the applier's statements, made once per table and kind.
//!
//! Names come from `static` tables only, never from data. A column that a new row does not set takes its default from
//! the schema, as in an INSERT that does not name it.

use std::{
    collections::HashMap,
    fmt::Write,
    sync::{Arc, LazyLock, RwLock},
};

use deadpool_postgres::Transaction;

use super::super::StoreError;
use crate::change::Table;

/// What is done to a table, in the order in which a transaction does it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) enum Kind {
    /// A merge that creates the row where it is missing.
    Upsert,
    /// A merge that leaves a missing row missing.
    Update,
    /// A new row of history.
    Append,
}

/// Statements by kind and table.
type Texts = HashMap<(Kind, &'static str), Arc<str>>;

/// The schema of a running process does not change (it is checked at the start), so neither do its statements.
static TEXTS: LazyLock<RwLock<Texts>> = LazyLock::new(RwLock::default);

/// The statement for a table and kind; its only parameter is a jsonb array of rows.
pub(super) async fn text(transaction: &Transaction<'_>, kind: Kind, table: &Table) -> Result<Arc<str>, StoreError> {
    let place = (kind, table.name);
    if let Some(text) = TEXTS.read().ok().and_then(|texts| texts.get(&place).cloned()) {
        return Ok(text);
    }
    let text: Arc<str> = match kind {
        Kind::Upsert => upsert(table, &base(transaction, table).await?).into(),
        Kind::Update => update(table).into(),
        Kind::Append => append(table, &base(transaction, table).await?).into(),
    };
    if let Ok(mut texts) = TEXTS.write() {
        texts.insert(place, Arc::clone(&text));
    }
    Ok(text)
}

/// A row of the table's defaults as an expression: what `jsonb_populate_recordset` takes for fields that are absent.
async fn base(transaction: &Transaction<'_>, table: &Table) -> Result<String, StoreError> {
    let columns = transaction
        .query(
            // A generated column is never written; its expression is no default.
            "/* apply_defaults */
             select coalesce(case when a.attgenerated = '' then pg_get_expr(d.adbin, d.adrelid) end, 'null')
             from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
             where a.attrelid = to_regclass($1) and a.attnum > 0 and not a.attisdropped order by a.attnum",
            &[&quoted(table.name)],
        )
        .await?;
    if columns.is_empty() {
        return Err(StoreError::Schema(format!("there is no table `{}`: run `lychgate migrate`", table.name)));
    }
    let defaults: Vec<String> = columns.iter().map(|column| column.get(0)).collect();
    Ok(format!("row({})::{}", defaults.join(", "), quoted(table.name)))
}

fn upsert(table: &Table, base: &str) -> String {
    let names = table.key.iter().chain(table.columns).chain(&["versions"]);
    let columns = list(names.clone(), "");
    let values = list(names, "r.");
    let keys = list(table.key.iter(), "");
    let set = assignments(table, "excluded");
    format!(
        "/* apply_upsert */ insert into {name} as cur ({columns})
         select {values} from jsonb_populate_recordset({base}, $1::jsonb) r
         on conflict ({keys}) do update set {set}",
        name = quoted(table.name),
    )
}

/// Locks the rows in the order given before it updates them, because a join would lock them in its own.
fn update(table: &Table) -> String {
    let name = quoted(table.name);
    let same = |left: &str, right: &str| {
        let pairs: Vec<_> = table.key.iter().map(|key| format!("{left}.{0} = {right}.{0}", quoted(key))).collect();
        pairs.join(" and ")
    };
    format!(
        "/* apply_update */ with incoming as materialized (
             select r.* from jsonb_populate_recordset(null::{name}, $1::jsonb) with ordinality r),
         locked as materialized (
             select r.* from incoming r join {name} cur on {join} order by r.ordinality for update of cur)
         update {name} as cur set {set} from locked where {matched}",
        join = same("cur", "r"),
        set = assignments(table, "locked"),
        matched = same("cur", "locked"),
    )
}

fn append(table: &Table, base: &str) -> String {
    let names = table.key.iter().chain(table.columns);
    format!(
        "/* apply_append */ insert into {name} ({columns})
         select {values} from jsonb_populate_recordset({base}, $1::jsonb) r on conflict do nothing",
        name = quoted(table.name),
        columns = list(names.clone(), ""),
        values = list(names, "r."),
    )
}

/// Per column: the newer value, and its version. A column that the change does not set has no version, and stays.
fn assignments(table: &Table, new: &str) -> String {
    // jsonb_build_object takes at most 100 arguments.
    const PAIRS: usize = 50;
    let mut text = String::new();
    let newer = |column: &str| {
        format!(r#"({new}.versions->>'{column}') collate "C" >= coalesce(cur.versions->>'{column}', '')"#)
    };
    for column in table.columns {
        let (name, newer) = (quoted(column), newer(column));
        // Writing to a String cannot fail.
        let _ = write!(text, "{name} = case when {newer} then {new}.{name} else cur.{name} end, ");
    }
    text.push_str("versions = cur.versions");
    for columns in table.columns.chunks(PAIRS) {
        let pairs: Vec<_> = columns
            .iter()
            .map(|column| format!("'{column}', case when {} then {new}.versions->'{column}' end", newer(column)))
            .collect();
        let _ = write!(text, " || jsonb_strip_nulls(jsonb_build_object({}))", pairs.join(", "));
    }
    text
}

fn list<'a>(names: impl Iterator<Item = &'a &'static str>, prefix: &str) -> String {
    names.map(|name| format!("{prefix}{}", quoted(name))).collect::<Vec<_>>().join(", ")
}

/// An identifier in quotes, because `order` is a table of the fifth system.
fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}
