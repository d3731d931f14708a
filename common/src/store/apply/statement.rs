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

/// What is done to a table.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Kind {
    /// Merges that create their rows where they are missing.
    Merge,
    /// Merges among which some leave a missing row missing: `$2` says which.
    MergeExisting,
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
    let base = base(transaction, table).await?;
    let text: Arc<str> = match kind {
        Kind::Merge => merge(table, &base).into(),
        Kind::MergeExisting => merge_existing(table, &base).into(),
        Kind::Append => append(table, &base).into(),
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
            "/* apply_defaults */ select coalesce(pg_get_expr(d.adbin, d.adrelid), 'null')
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

fn merge(table: &Table, base: &str) -> String {
    let values = list(table.key.iter().chain(table.columns), "r.");
    format!(
        "/* apply_merge */ {head}
         select {values}, r.versions from jsonb_populate_recordset({base}, $1::jsonb) r
         {tail}",
        head = insert_into(table),
        tail = on_conflict(table),
    )
}

/// One pass in the order of the keys for both sorts of merges: two passes would lock rows out of order. A row that may
/// not be created is offered only where it exists, and completed from what exists, so that no `not null` refuses it.
fn merge_existing(table: &Table, base: &str) -> String {
    let name = quoted(table.name);
    let same: Vec<_> = table.key.iter().map(|key| format!("c.{0} = r.{0}", quoted(key))).collect();
    let exists = table.key.first().map_or_else(String::new, |key| format!("or c.{} is not null", quoted(key)));
    let keys = list(table.key.iter(), "r.");
    let mut values = String::new();
    for column in table.columns {
        let name = quoted(column);
        // Writing to a String cannot fail.
        let _ = write!(
            values,
            "case when r.versions->>'{column}' is null then coalesce(c.{name}, r.{name}) else r.{name} end, "
        );
    }
    format!(
        "/* apply_merge_existing */ {head}
         select {keys}, {values}r.versions
         from jsonb_populate_recordset({base}, $1::jsonb) with ordinality r
         join unnest($2::bool[]) with ordinality as o (only_existing, nth) on o.nth = r.ordinality
         left join {name} c on {same}
         where not o.only_existing {exists}
         order by r.ordinality
         {tail}",
        head = insert_into(table),
        same = same.join(" and "),
        tail = on_conflict(table),
    )
}

fn insert_into(table: &Table) -> String {
    let columns = list(table.key.iter().chain(table.columns).chain(&["versions"]), "");
    format!("insert into {} as cur ({columns})", quoted(table.name))
}

fn on_conflict(table: &Table) -> String {
    format!("on conflict ({}) do update set {}", list(table.key.iter(), ""), assignments(table))
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
fn assignments(table: &Table) -> String {
    // jsonb_build_object takes at most 100 arguments.
    const PAIRS: usize = 50;
    let mut text = String::new();
    let newer = |column: &str| {
        format!(r#"(excluded.versions->>'{column}') collate "C" >= coalesce(cur.versions->>'{column}', '')"#)
    };
    for column in table.columns {
        let (name, newer) = (quoted(column), newer(column));
        // Writing to a String cannot fail.
        let _ = write!(text, "{name} = case when {newer} then excluded.{name} else cur.{name} end, ");
    }
    text.push_str("versions = cur.versions");
    for columns in table.columns.chunks(PAIRS) {
        let pairs: Vec<_> = columns
            .iter()
            .map(|column| format!("'{column}', case when {} then excluded.versions->'{column}' end", newer(column)))
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
