//! A campus's filters: which of the core system's members are stored.
//!
//! Written as `{"mode": "include", "rules": [{"field": "gender", "operator": "equals", "value": "Female"}]}`. With
//! `include` a member is stored if every rule holds, with `exclude` if none does. A field is one of the profile's
//! columns, `age`, or any field of the core system's answer. Without rules everybody is stored.

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde::Deserialize;
use serde_json::Value;

use crate::core_api::CoreMember;

/// Filters that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{0}; written as {{\"mode\": \"include\", \"rules\": [{{\"field\": …, \"operator\": …, \"value\": …}}]}}")]
pub struct FilterError(#[from] serde_json::Error);

/// A campus's filters, checked.
#[derive(Clone, PartialEq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CampusFilter {
    #[serde(default)]
    mode: Mode,
    #[serde(default)]
    rules: Vec<Rule>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Mode {
    #[default]
    Include,
    Exclude,
}

#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    field: String,
    operator: Operator,
    #[serde(default)]
    value: Value,
}

/// How a field is compared. Texts are compared without regard to case, numbers and dates by their order.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Operator {
    /// Equal.
    Equals,
    /// Not equal; an absent field is not equal to anything.
    NotEquals,
    /// The text has the value in it.
    Contains,
    /// Equal to one of the values.
    In,
    /// Equal to none of the values.
    NotIn,
    /// Greater.
    GreaterThan,
    /// Less.
    LessThan,
    /// True.
    IsTrue,
    /// False.
    IsFalse,
    /// Absent, null or the empty text.
    IsEmpty,
    /// Anything else.
    NotEmpty,
}

impl CampusFilter {
    /// Reads what is stored with the campus.
    ///
    /// # Errors
    /// [`FilterError`] says what is wrong and how filters are written.
    pub fn read(written: &Value) -> Result<Self, FilterError> {
        match written {
            Value::Null => Ok(Self::default()),
            written => Ok(Self::deserialize(written)?),
        }
    }

    /// Why a member is kept out, as of `at`; `None` where it is stored. Names the rule, never the member's data.
    pub fn keeps_out(&self, member: &CoreMember, at: Timestamp) -> Option<String> {
        let today = at.to_zoned(TimeZone::UTC).date();
        let guilty = |rule: &&Rule| match self.mode {
            Mode::Include => !rule.holds(member, today),
            Mode::Exclude => rule.holds(member, today),
        };
        let rule = self.rules.iter().find(guilty)?;
        let verb = if self.mode == Mode::Include { "does not hold" } else { "holds" };
        Some(format!("{} {verb}", rule.written()))
    }
}

impl Rule {
    fn holds(&self, member: &CoreMember, today: Date) -> bool {
        let field = self.field_of(member, today);
        let listed = || self.value.as_array().is_some_and(|list| list.iter().any(|value| same(&field, value)));
        match self.operator {
            Operator::Equals => same(&field, &self.value),
            Operator::NotEquals => !same(&field, &self.value),
            Operator::Contains => match (&field, text(&self.value)) {
                (Value::Array(list), _) => list.iter().any(|item| same(item, &self.value)),
                (field, Some(part)) => text(field).is_some_and(|text| text.contains(&part)),
                (_, None) => false,
            },
            Operator::In => listed(),
            Operator::NotIn => !listed(),
            Operator::GreaterThan => order(&field, &self.value).is_some_and(std::cmp::Ordering::is_gt),
            Operator::LessThan => order(&field, &self.value).is_some_and(std::cmp::Ordering::is_lt),
            Operator::IsTrue => field == Value::Bool(true),
            Operator::IsFalse => field == Value::Bool(false),
            Operator::IsEmpty => is_empty(&field),
            Operator::NotEmpty => !is_empty(&field),
        }
    }

    fn field_of(&self, member: &CoreMember, today: Date) -> Value {
        match self.field.as_str() {
            "age" => member.birth_date.and_then(|birth| age(birth, today)).map_or(Value::Null, Value::from),
            name => member.profile.get(name).or_else(|| member.data.get(name)).cloned().unwrap_or_default(),
        }
    }

    fn written(&self) -> String {
        let operator = serde_json::to_value(self.operator).ok();
        let operator = operator.as_ref().and_then(Value::as_str).unwrap_or_default();
        match &self.value {
            Value::Null => format!("{} {operator}", self.field),
            value => format!("{} {operator} {value}", self.field),
        }
    }
}

/// Whole years on `today`.
fn age(birth: Date, today: Date) -> Option<i16> {
    let had_birthday = (today.month(), today.day()) >= (birth.month(), birth.day());
    let age = today.year() - birth.year() - i16::from(!had_birthday);
    (age >= 0).then_some(age)
}

fn same(one: &Value, other: &Value) -> bool {
    match (text(one), text(other)) {
        (Some(one), Some(other)) => one == other,
        _ => one == other,
    }
}

/// Texts and numbers as text, in lower case.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_lowercase()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// By number where both are numbers, else as text (ISO dates sort so).
fn order(one: &Value, other: &Value) -> Option<std::cmp::Ordering> {
    let (one, other) = (text(one)?, text(other)?);
    match (one.parse::<f64>(), other.parse::<f64>()) {
        (Ok(one), Ok(other)) => one.partial_cmp(&other),
        _ => Some(one.cmp(&other)),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn stored(filters: Value, member: Value) -> bool {
        let Value::Object(data) = member else { unreachable!("tests give objects") };
        let member = CoreMember::read(data, Some("m1")).unwrap();
        let at = "2025-11-20T00:00:00Z".parse().unwrap();
        CampusFilter::read(&filters).unwrap().keeps_out(&member, at).is_none()
    }

    fn rule(field: &str, operator: &str, value: Value) -> Value {
        json!({"rules": [{"field": field, "operator": operator, "value": value}]})
    }

    #[test]
    fn without_rules_everybody_is_stored() {
        for filters in [json!(null), json!({}), json!({"mode": "exclude", "rules": []})] {
            assert!(stored(filters, json!({"name": "A"})));
        }
    }

    #[test]
    fn every_operator_does_what_its_name_says() {
        let member = json!({"name": "Ana Maria", "gender": "FEMALE", "birth_date": "2007-11-21", "groups": ["choir"],
                            "baptised": true, "status": null, "level": 10});
        for (field, operator, value, holds) in [
            ("gender", "equals", json!("female"), true),
            ("gender", "not_equals", json!("female"), false),
            ("name", "contains", json!("maria"), true),
            ("groups", "contains", json!("choir"), true),
            ("gender", "in", json!(["male", "female"]), true),
            ("gender", "not_in", json!(["male"]), true),
            ("level", "greater_than", json!(9), true),
            ("age", "less_than", json!(18), true), // 18 tomorrow
            ("birth_date", "less_than", json!("2000-01-01"), false),
            ("baptised", "is_true", json!(null), true),
            ("baptised", "is_false", json!(null), false),
            ("status", "is_empty", json!(null), true),
            ("absent", "not_empty", json!(null), false),
        ] {
            assert_eq!(stored(rule(field, operator, value), member.clone()), holds, "{field} {operator}");
        }
    }

    #[test]
    fn include_wants_every_rule_and_exclude_none() {
        let rules = json!([{"field": "gender", "operator": "equals", "value": "f"},
                           {"field": "phone", "operator": "not_empty"}]);
        let half = json!({"name": "A", "gender": "f"});
        assert!(!stored(json!({"mode": "include", "rules": rules}), half.clone()));
        assert!(!stored(json!({"mode": "exclude", "rules": rules}), half));
        assert!(stored(json!({"mode": "exclude", "rules": rules}), json!({"name": "A"})));
    }

    #[test]
    fn mistakes_in_filters_are_refused() {
        for filters in [json!({"rule": []}), rule("a", "is_nice", json!(1)), json!({"rules": [{"field": "a"}]})] {
            assert!(CampusFilter::read(&filters).is_err(), "{filters}");
        }
    }
}
