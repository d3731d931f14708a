//! A person as Systeme.io's two senders describe one: contact, customer, tags, custom fields.
//!
//! Tolerant of what PHP makes of things (an empty map as `[]`, ids as numbers or text) and of the nesting
//! `contact.contact` that the documentation shows for removed tags. Decides nothing.

use jiff::Timestamp;
use lychgate_common::source::is_email;
use serde_json::{Map, Value};

use crate::{handler::Failure, handlers::fields::Fields};

/// A person.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Contact {
    /// In lower case: what a person is known by.
    pub(super) email: String,
    pub(super) id: Option<String>,
    pub(super) locale: Option<String>,
    pub(super) source_url: Option<String>,
    pub(super) registered_at: Option<Timestamp>,
    pub(super) unsubscribed: Option<bool>,
    pub(super) bounced: Option<bool>,
    /// Custom fields, slug to value.
    pub(super) fields: Map<String, Value>,
    /// Whether `fields` is all of them, so that it may replace what is stored.
    pub(super) whole: bool,
    /// The tags, where the sender lists them.
    pub(super) tags: Vec<Tag>,
}

/// A tag.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Tag {
    pub(super) id: Option<String>,
    pub(super) name: Option<String>,
}

impl Tag {
    /// A tag's object.
    pub(super) fn read(tag: &Fields<'_>) -> Result<Self, Failure> {
        let tag = Self { id: tag.optional_text("id")?, name: tag.optional_text("name")? };
        Ok(tag)
    }

    /// What the catalogue may know it by: its id, its name in lower case.
    pub(super) fn words(&self) -> Vec<String> {
        let name = self.name.as_ref().map(|name| name.trim().to_lowercase());
        self.id.clone().into_iter().chain(name).filter(|word| !word.is_empty()).collect()
    }
}

impl Contact {
    /// `contact` of the settings webhooks (all there is to know) or of the automation rules (a few fields).
    pub(super) fn read(contact: &Fields<'_>) -> Result<Self, Failure> {
        let contact = &contact.optional_object("contact")?.unwrap_or_else(|| contact.clone());
        let (fields, whole) = fields(contact)?;
        let tags = contact.optional_objects("tags")?.unwrap_or_default();
        Ok(Self {
            email: email(contact)?,
            id: contact.optional_text("id")?,
            locale: contact.optional_text("locale")?,
            source_url: match contact.has("sourceURL") {
                true => contact.optional_text("sourceURL")?,
                false => contact.optional_text("sourceUrl")?,
            },
            registered_at: contact.optional_time("registeredAt")?,
            unsubscribed: contact.optional_flag("unsubscribed")?,
            bounced: contact.optional_flag("bounced")?,
            fields,
            whole,
            tags: tags.iter().map(Tag::read).collect::<Result<_, _>>()?,
        })
    }

    /// `customer` of a sale.
    pub(super) fn of_customer(customer: &Fields<'_>) -> Result<Self, Failure> {
        let (fields, _) = fields(customer)?;
        Ok(Self {
            email: email(customer)?,
            id: customer.optional_text("contactId")?,
            source_url: customer.optional_text("sourceUrl")?,
            fields,
            ..Self::default()
        })
    }

    /// The first of these custom fields that holds something.
    pub(super) fn field(&self, slugs: &[&str]) -> Option<&str> {
        let text = |slug: &&str| self.fields.get(*slug)?.as_str().map(str::trim).filter(|text| !text.is_empty());
        slugs.iter().find_map(text)
    }

    pub(super) fn first_name(&self) -> Option<&str> {
        self.field(&["first_name", "firstname", "firstName"])
    }

    pub(super) fn last_name(&self) -> Option<&str> {
        self.field(&["surname", "last_name", "lastname", "lastName"])
    }

    /// First and last name as one; `None` where neither is known.
    pub(super) fn name(&self) -> Option<String> {
        let parts: Vec<&str> = [self.first_name(), self.last_name()].into_iter().flatten().collect();
        if parts.is_empty() { self.field(&["name", "full_name"]).map(str::to_owned) } else { Some(parts.join(" ")) }
    }
}

/// The required e-mail address, in lower case.
pub(super) fn email(of: &Fields<'_>) -> Result<String, Failure> {
    let email = of.text("email")?.trim().to_lowercase();
    match is_email(&email) {
        true => Ok(email),
        false => {
            let message = format!("{} must be an e-mail address", of.pointer_to("email"));
            Err(Failure::permanent("wrong_type", message))
        }
    }
}

/// Custom fields, as a list of `{slug, value}` (then all of them) or as a map (then some). PHP writes an empty map `[]`.
fn fields(of: &Fields<'_>) -> Result<(Map<String, Value>, bool), Failure> {
    match of.value("fields") {
        Some(Value::Object(map)) => Ok((clean(map), false)),
        Some(Value::Array(_)) => {
            let mut map = Map::new();
            for field in of.optional_objects("fields")?.unwrap_or_default() {
                let slug = match field.optional_text("slug")? {
                    Some(slug) => slug,
                    None => field.text("fieldName")?,
                };
                map.insert(slug, field.value("value").cloned().unwrap_or_default());
            }
            Ok((clean(&map), true))
        }
        Some(_) => of.optional_object("fields").map(|_| (Map::new(), false)),
        None => Ok((Map::new(), false)),
    }
}

/// Without NUL characters, which PostgreSQL cannot store.
fn clean(map: &Map<String, Value>) -> Map<String, Value> {
    let scalar = |value: &Value| match value {
        Value::String(text) => Value::String(text.replace('\0', "")),
        other => other.clone(),
    };
    let storable = |value: &Value| !value.to_string().contains("\\u0000");
    let pairs = map.iter().map(|(slug, value)| (slug.replace('\0', ""), scalar(value)));
    pairs.filter(|(_, value)| storable(value)).collect()
}
