//! A member as the core system tells of it, read once.
//!
//! A field that the answer does not have is not known, which is not the same as a field that is null: sync leaves the
//! first alone and clears the second.

use jiff::civil::Date;
use lychgate_common::change::Row;
use serde_json::{Map, Value};

/// What cannot be read about an answer, in one sentence.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub String);

/// The names under which core systems tell of the profile's columns, the document's own first.
const NAMES: [(&str, &[&str]); 4] = [
    ("name", &["name", "full_name", "fullName"]),
    ("phone", &["phone", "phone_number", "phone_whatsapp", "mobile"]),
    ("gender", &["gender", "sex"]),
    ("photo_url", &["photo_url", "photo", "photoUrl", "photo_base64", "avatar_url"]),
];
const BIRTH_DATE: &[&str] = &["birth_date", "date_of_birth", "birthDate", "dob"];
const IDS: &[&str] = &["id", "member_id", "_id", "uuid"];

/// A member, checked.
#[derive(Clone, PartialEq, Debug)]
pub struct CoreMember {
    /// The core system's id.
    pub id: String,
    /// Full name.
    pub name: String,
    /// The columns of the profile that the answer speaks of: name, phone, gender, birth_date, photo_url.
    pub profile: Row,
    /// Date of birth, where it speaks of one.
    pub birth_date: Option<Date>,
    /// Whether the core system counts the member as one: not deleted, archived or inactive.
    pub active: bool,
    /// The whole answer, for the campus's filters.
    pub data: Map<String, Value>,
}

impl CoreMember {
    /// Reads a member. `asked` is the id it was asked for by; a list's members must name theirs.
    ///
    /// # Errors
    /// [`Malformed`] where it has no id or name, or a field is not what it should be.
    pub fn read(data: Map<String, Value>, asked: Option<&str>) -> Result<Self, Malformed> {
        let id = match asked {
            Some(id) => id.to_owned(),
            None => id(&data).ok_or_else(|| Malformed("a member in it has no id".into()))?,
        };
        let mut profile = Row::new();
        for (column, names) in NAMES {
            if let Some((name, value)) = field(&data, names) {
                profile.insert(column.to_owned(), text(value, name, &id)?.map_or(Value::Null, Value::from));
            }
        }
        let mut birth_date = None;
        if let Some((name, value)) = field(&data, BIRTH_DATE) {
            birth_date = text(value, name, &id)?.map(|text| date(&text, name, &id)).transpose()?;
            profile.insert("birth_date".to_owned(), birth_date.map_or(Value::Null, |date| date.to_string().into()));
        }
        let name = match profile.get("name").or(joined_name(&data).as_ref()) {
            Some(Value::String(name)) => name.clone(),
            _ => return Err(Malformed(format!("member {id} has no name"))),
        };
        profile.insert("name".to_owned(), name.clone().into());
        let active = is_active(&data);
        Ok(Self { id, name, profile, birth_date, active, data })
    }
}

/// A list's member's own id.
pub(crate) fn id(data: &Map<String, Value>) -> Option<String> {
    match field(data, IDS)? {
        (_, Value::String(id)) if !id.is_empty() => Some(id.clone()),
        (_, Value::Number(id)) => Some(id.to_string()),
        _ => None,
    }
}

/// Whether the answer counts the member as one; where it says nothing, it does.
pub(crate) fn is_active(data: &Map<String, Value>) -> bool {
    let says = |name: &str| data.get(name).and_then(Value::as_bool);
    let gone = ["is_deleted", "deleted", "is_archived", "archived"].into_iter().any(|name| says(name) == Some(true));
    let gone_at = data.get("deleted_at").is_some_and(|at| !at.is_null());
    !gone && !gone_at && says("is_active").or(says("active")) != Some(false)
}

fn field<'a>(data: &'a Map<String, Value>, names: &[&'static str]) -> Option<(&'static str, &'a Value)> {
    names.iter().find_map(|name| data.get(*name).map(|value| (*name, value)))
}

/// First and last name, for a core system that has no full one.
fn joined_name(data: &Map<String, Value>) -> Option<Value> {
    let part = |name: &str| data.get(name).and_then(Value::as_str).map(str::trim).filter(|part| !part.is_empty());
    let parts: Vec<_> = ["first_name", "last_name"].into_iter().filter_map(part).collect();
    (!parts.is_empty()).then(|| parts.join(" ").into())
}

/// A text; numbers as they are written; null and the empty text are no value.
fn text(value: &Value, name: &str, id: &str) -> Result<Option<String>, Malformed> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) if text.contains('\0') => {
            Err(Malformed(format!("`{name}` of member {id} has a NUL character in it")))
        }
        Value::String(text) => Ok(Some(text.trim()).filter(|text| !text.is_empty()).map(str::to_owned)),
        Value::Number(number) => Ok(Some(number.to_string())),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            Err(Malformed(format!("`{name}` of member {id} is not a text")))
        }
    }
}

/// A date, alone or at the head of a date and time.
fn date(text: &str, name: &str, id: &str) -> Result<Date, Malformed> {
    let head = text.get(..10).unwrap_or(text);
    let rest = text.get(10..).unwrap_or_default();
    let ends = rest.is_empty() || rest.starts_with(['T', ' ']);
    let parsed = head.parse().ok().filter(|_| ends);
    parsed.ok_or_else(|| Malformed(format!("`{name}` of member {id} is not a date (YYYY-MM-DD)")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: Value) -> Result<CoreMember, Malformed> {
        let Value::Object(data) = value else { unreachable!("tests give objects") };
        CoreMember::read(data, Some("m1"))
    }

    #[test]
    fn a_field_that_is_absent_stays_unknown_and_one_that_is_null_or_empty_is_cleared() {
        let member = read(json!({"name": " SUMARNI NINGSIH ", "phone": "", "gender": null})).unwrap();
        assert_eq!(member.name, "SUMARNI NINGSIH");
        assert_eq!(Value::Object(member.profile), json!({"name": "SUMARNI NINGSIH", "phone": null, "gender": null}));
    }

    #[test]
    fn other_core_systems_names_for_the_fields_are_understood() {
        let member = read(json!({"full_name": "A", "phone_whatsapp": 62812, "date_of_birth": "1980-05-01T00:00:00Z"}));
        let profile = Value::Object(member.unwrap().profile);
        assert_eq!(profile, json!({"name": "A", "phone": "62812", "birth_date": "1980-05-01"}));
        assert_eq!(read(json!({"first_name": "A", "last_name": "B"})).unwrap().name, "A B");
    }

    #[test]
    fn what_cannot_be_a_member_is_refused_with_a_reason() {
        for (data, reason) in [
            (json!({}), "member m1 has no name"),
            (json!({"name": "A", "birth_date": "yesterday"}), "`birth_date` of member m1 is not a date (YYYY-MM-DD)"),
            (json!({"name": "A", "birth_date": "1980-02-30"}), "`birth_date` of member m1 is not a date (YYYY-MM-DD)"),
            (json!({"name": {"first": "A"}}), "`name` of member m1 is not a text"),
            (json!({"name": "A\u{0}"}), "`name` of member m1 has a NUL character in it"),
        ] {
            assert_eq!(read(data).unwrap_err().0, reason);
        }
    }

    #[test]
    fn inactive_and_deleted_members_are_recognised() {
        for (data, active) in [
            (json!({"name": "A"}), true),
            (json!({"name": "A", "is_active": true, "deleted_at": null}), true),
            (json!({"name": "A", "is_active": false}), false),
            (json!({"name": "A", "is_deleted": true}), false),
            (json!({"name": "A", "deleted_at": "2025-01-01T00:00:00Z"}), false),
        ] {
            assert_eq!(read(data.clone()).unwrap().active, active, "{data}");
        }
    }
}
