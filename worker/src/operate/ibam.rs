//! What operators do to IBAM: import and export the catalogue as CSV or JSON, hand out a magic token.
//!
//! A file is checked whole before anything is written: every mistake with its line. What is imported takes effect with
//! the next event, without a restart.

mod csv;

use jiff::Timestamp;
use lychgate_common::{
    magic::{MagicToken, NoRandom},
    store::{Course, Imported, Store, StoreError, TagCourse, Tier},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

/// Names and ids longer than this are a mistake.
const TEXT_LIMIT: usize = 255;

/// How a catalogue's file is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// One line of column names, then one line a row (RFC 4180).
    Csv,
    /// A list of objects.
    Json,
}

/// Why a catalogue was not imported, or a token not issued.
#[derive(Debug, thiserror::Error)]
pub enum IbamError {
    /// What is wrong with the file, one mistake a line.
    #[error("{}", .0.join("\n"))]
    Input(Vec<String>),
    /// Nobody with this address.
    #[error("no user has the e-mail address `{0}`")]
    Unknown(String),
    /// The operating system gave no random bytes.
    #[error(transparent)]
    Random(#[from] NoRandom),
    /// The store's trouble.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A part of the catalogue.
pub trait Part: Serialize + DeserializeOwned + Sized {
    /// Its columns in CSV, in their order.
    const COLUMNS: &'static [&'static str];

    /// Brings a row into the form that handlers look up, or says what is wrong with it.
    ///
    /// # Errors
    /// What is wrong, in words.
    fn checked(self) -> Result<Self, String>;
}

impl Part for TagCourse {
    const COLUMNS: &'static [&'static str] = &["tag", "course_id"];

    fn checked(self) -> Result<Self, String> {
        Ok(Self { tag: needed("tag", &self.tag)?.to_lowercase(), course_id: needed("course_id", &self.course_id)? })
    }
}

impl Part for Course {
    const COLUMNS: &'static [&'static str] = &["course_id", "title", "systeme_course_id", "systeme_bundle_id"];

    fn checked(self) -> Result<Self, String> {
        Ok(Self { course_id: needed("course_id", &self.course_id)?, ..self })
    }
}

impl Part for Tier {
    const COLUMNS: &'static [&'static str] = &["tier", "title", "access_level", "rank", "price_plan_id", "tag"];

    fn checked(self) -> Result<Self, String> {
        Ok(Self {
            tier: needed("tier", &self.tier)?.to_lowercase(),
            access_level: needed("access_level", &self.access_level)?,
            tag: self.tag.map(|tag| tag.trim().to_lowercase()).filter(|tag| !tag.is_empty()),
            ..self
        })
    }
}

/// Reads a file's rows, checked.
///
/// # Errors
/// [`IbamError::Input`] with every mistake.
pub fn read<P: Part>(text: &str, form: Form) -> Result<Vec<P>, IbamError> {
    let one = |text: String| IbamError::Input(vec![text]);
    let rows = match form {
        Form::Json => match serde_json::from_str(text) {
            Ok(Value::Array(rows)) => (1..).zip(rows).map(|(nth, row)| (format!("entry {nth}"), row)).collect(),
            Ok(_) => return Err(one("the file must be a JSON list of objects".to_owned())),
            Err(error) => return Err(one(format!("the file is not JSON: {error}"))),
        },
        Form::Csv => rows_of_csv(text, P::COLUMNS).map_err(IbamError::Input)?,
    };
    let mut good = Vec::new();
    let mut wrong = Vec::new();
    for (place, row) in rows {
        let read = serde_json::from_value::<P>(row).map_err(|error| error.to_string()).and_then(P::checked);
        match read {
            Ok(row) => good.push(row),
            Err(why) => wrong.push(format!("{place}: {why}")),
        }
    }
    if wrong.is_empty() { Ok(good) } else { Err(IbamError::Input(wrong)) }
}

/// Writes rows as a file that [`read`] reads.
pub fn written<P: Part>(rows: &[P], form: Form) -> String {
    let value = serde_json::to_value(rows).unwrap_or_default();
    match form {
        Form::Json => serde_json::to_string_pretty(&value).unwrap_or_default(),
        Form::Csv => {
            let mut lines = vec![P::COLUMNS.join(",")];
            for row in value.as_array().into_iter().flatten() {
                let cell = |column: &&str| csv::cell(row.get(*column).unwrap_or(&Value::Null));
                lines.push(P::COLUMNS.iter().map(cell).collect::<Vec<_>>().join(","));
            }
            lines.join("\n")
        }
    }
}

/// Imports a checked part of the catalogue; with `replace`, what is not in it goes.
///
/// # Errors
/// The store's; nothing is changed then.
pub async fn import_tags(store: &Store, rows: &[TagCourse], replace: bool, actor: &str) -> Result<Imported, IbamError> {
    Ok(store.import_ibam_tags(rows, replace, actor).await?)
}

/// As [`import_tags`], for courses.
///
/// # Errors
/// As there.
pub async fn import_courses(store: &Store, rows: &[Course], replace: bool, actor: &str) -> Result<Imported, IbamError> {
    Ok(store.import_ibam_courses(rows, replace, actor).await?)
}

/// As [`import_tags`], for tiers.
///
/// # Errors
/// As there.
pub async fn import_tiers(store: &Store, rows: &[Tier], replace: bool, actor: &str) -> Result<Imported, IbamError> {
    Ok(store.import_ibam_tiers(rows, replace, actor).await?)
}

/// Makes a new magic token for somebody, in the place of any other. The token is returned once and stored nowhere.
///
/// # Errors
/// [`IbamError::Unknown`]; our own trouble.
pub async fn issue_token(store: &Store, email: &str, actor: &str) -> Result<(MagicToken, Timestamp), IbamError> {
    let email = email.trim().to_lowercase();
    let token = MagicToken::generate()?;
    match store.issue_magic_token(&email, &token, actor).await? {
        Some(expires_at) => Ok((token, expires_at)),
        None => Err(IbamError::Unknown(email)),
    }
}

fn needed(column: &str, text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err(format!("{column} is empty")),
        text if text.len() > TEXT_LIMIT => Err(format!("{column} is longer than {TEXT_LIMIT} bytes")),
        text if text.chars().any(char::is_control) => Err(format!("{column} holds control characters")),
        text => Ok(text.to_owned()),
    }
}

/// CSV's rows as objects; an empty cell is an absent field, a number where the column is one.
fn rows_of_csv(text: &str, columns: &[&str]) -> Result<Vec<(String, Value)>, Vec<String>> {
    let mut lines = csv::lines(text).map_err(|line| vec![format!("line {line}: a quoted cell does not end")])?;
    if lines.is_empty() {
        return Err(vec![format!("the first line must name the columns: {}", columns.join(","))]);
    }
    let (_, names) = lines.remove(0);
    let unknown: Vec<_> = names.iter().filter(|name| !columns.contains(&name.trim())).cloned().collect();
    if !unknown.is_empty() {
        return Err(vec![format!(
            "line 1: no column is called {}; there are {}",
            unknown.join(", "),
            columns.join(",")
        )]);
    }
    let mut rows = Vec::new();
    let mut wrong = Vec::new();
    for (line, cells) in lines {
        if cells.len() != names.len() {
            wrong.push(format!("line {line}: {} cells, and {} columns", cells.len(), names.len()));
            continue;
        }
        let filled = names.iter().zip(&cells).filter(|(_, cell)| !cell.trim().is_empty());
        let value = |name: &str, cell: &str| match (name, cell.trim().parse::<i64>()) {
            ("rank", Ok(number)) => Value::from(number),
            (_, _) => Value::from(cell.trim()),
        };
        let row: Map<String, Value> =
            filled.map(|(name, cell)| (name.trim().to_owned(), value(name.trim(), cell))).collect();
        rows.push((format!("line {line}"), Value::Object(row)));
    }
    if wrong.is_empty() { Ok(rows) } else { Err(wrong) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_exported_can_be_imported() {
        let tiers = vec![
            Tier {
                tier: "gold".into(),
                title: "Gold, \"the best\"".into(),
                access_level: "full".into(),
                rank: 2,
                price_plan_id: Some("3".into()),
                tag: None,
            },
            Tier {
                tier: "free".into(),
                title: "Two\nlines".into(),
                access_level: "basic".into(),
                rank: 0,
                price_plan_id: None,
                tag: Some("member".into()),
            },
        ];
        for form in [Form::Csv, Form::Json] {
            assert_eq!(read::<Tier>(&written(&tiers, form), form).unwrap(), tiers, "{form:?}");
        }
    }

    #[test]
    fn tags_are_known_in_lower_case() {
        let read = read::<TagCourse>("tag,course_id\r\n Premium Member ,welcome\r\n\r\n", Form::Csv).unwrap();
        assert_eq!(read, [TagCourse { tag: "premium member".into(), course_id: "welcome".into() }]);
    }

    #[test]
    fn every_mistake_is_named_with_its_line() {
        let said = |text: &str, form| read::<TagCourse>(text, form).unwrap_err().to_string();
        assert_eq!(said("tag,course_id\na\n,b\n", Form::Csv), "line 2: 1 cells, and 2 columns");
        assert_eq!(
            said("tag,course_id\n,b\nc,\n", Form::Csv),
            "line 2: missing field `tag`\nline 3: missing field `course_id`"
        );
        assert_eq!(said("tag,curse\n", Form::Csv), "line 1: no column is called curse; there are tag,course_id");
        assert_eq!(said("tag,course_id\n\"a,b\n", Form::Csv), "line 2: a quoted cell does not end");
        assert_eq!(said(r#"[{"tag": " ", "course_id": "b"}]"#, Form::Json), "entry 1: tag is empty");
        assert!(
            said(r#"[{"tag": "a", "course_id": "b", "colour": 1}]"#, Form::Json).contains("unknown field `colour`")
        );
    }
}
