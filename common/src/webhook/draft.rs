//! What a caller writes about a webhook, checked: every mistake at once, each by its JSON pointer.
//!
//! The same for the interface's bodies and the command line's options. That an address is no private one is checked here
//! as far as it can be read, and again at every connection.

use std::{fmt, net::IpAddr};

use ipnet::IpNet;
use serde_json::{Map, Value};
use url::{Host, Url};

/// Longest address: what every server takes.
const URL_LENGTH: usize = 2048;
/// Most event filters, and most sources, of one webhook; they are looked through for every event.
const LIST_LENGTH: usize = 100;
/// Longest event name or source, as in the ledger.
const NAME_LENGTH: usize = 255;
/// Longest description.
const DESCRIPTION_LENGTH: usize = 500;
/// What a webhook is shown with and cannot be written: sent back with the rest, it is let be.
const READ_ONLY: [&str; 8] = [
    "id",
    "status",
    "failing_since",
    "disabled_at",
    "disabled_reason",
    "previous_secret_until",
    "created_at",
    "updated_at",
];

/// One mistake.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Slip {
    /// The field's JSON pointer, or a query parameter's `?name`.
    pub pointer: String,
    /// What is wrong with it; `None`: it is missing.
    pub why: Option<String>,
}

impl fmt::Display for Slip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.why {
            Some(why) => write!(f, "Invalid {} in payload: {why}", self.pointer),
            None => {
                write!(f, "Missing {} in payload: the field is required and must not be empty", self.pointer)
            }
        }
    }
}

/// Where endpoints may be.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Policy {
    /// Private and loopback addresses too, and plain http.
    pub private: bool,
    /// Private networks that may be called, beside the public internet.
    pub allow: Vec<IpNet>,
}

/// A webhook to be made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Draft {
    /// Where its events go.
    pub url: Url,
    /// Which.
    pub events: Vec<String>,
    /// Of which sources.
    pub sources: Option<Vec<String>>,
    /// Its owner's words.
    pub description: Option<String>,
    /// Whether it begins at once.
    pub active: bool,
}

/// What is to be changed about one; what is `None` stays.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Change {
    /// Where its events go.
    pub url: Option<Url>,
    /// Which.
    pub events: Option<Vec<String>>,
    /// Of which sources; inner `None`: of every one.
    pub sources: Option<Option<Vec<String>>>,
    /// Its owner's words; inner `None`: none.
    pub description: Option<Option<String>>,
    /// Whether it is told of events. True also puts a webhook in force again that was disabled.
    pub active: Option<bool>,
}

impl Draft {
    /// Reads what a webhook is to be made of.
    ///
    /// # Errors
    /// Every mistake.
    pub fn read(body: &Value, policy: &Policy) -> Result<Self, Vec<Slip>> {
        let mut reading = Reading::of(body)?;
        let change = reading.fields(policy, &[]);
        for (field, there) in [("url", change.url.is_some()), ("events", change.events.is_some())] {
            if !there && !reading.has(field) {
                reading.slips.push(Slip { pointer: format!("/{field}"), why: None });
            }
        }
        match (change.url, change.events) {
            (Some(url), Some(events)) if reading.slips.is_empty() => Ok(Self {
                url,
                events,
                sources: change.sources.flatten(),
                description: change.description.flatten(),
                active: change.active.unwrap_or(true),
            }),
            _ => Err(reading.slips),
        }
    }
}

impl Change {
    /// Reads what is to be changed.
    ///
    /// # Errors
    /// Every mistake.
    pub fn read(body: &Value, policy: &Policy) -> Result<Self, Vec<Slip>> {
        let mut reading = Reading::of(body)?;
        let change = reading.fields(policy, &READ_ONLY);
        if reading.slips.is_empty() { Ok(change) } else { Err(reading.slips) }
    }
}

/// The name of an event type.
///
/// # Errors
/// What is wrong with it.
pub fn event_name(name: &str) -> Result<(), String> {
    if name.is_empty()
        || name.len() > NAME_LENGTH
        || name.chars().any(|c| c.is_control() || c.is_whitespace() || c == '*')
    {
        return Err(format!(
            "must be an event's name, like user.created: 1 to {NAME_LENGTH} characters without spaces"
        ));
    }
    Ok(())
}

/// How many of a listing: 50 unless asked otherwise.
///
/// # Errors
/// What is wrong with it.
pub fn limit(asked: Option<&str>) -> Result<u32, Slip> {
    let number = asked.map_or(Some(50), |asked| asked.parse().ok().filter(|number| (1..=100).contains(number)));
    number.ok_or_else(|| Slip { pointer: "?limit".to_owned(), why: Some("must be from 1 to 100".to_owned()) })
}

/// An object in the reading.
struct Reading<'a> {
    fields: &'a Map<String, Value>,
    slips: Vec<Slip>,
}

impl<'a> Reading<'a> {
    fn of(body: &'a Value) -> Result<Self, Vec<Slip>> {
        match body.as_object() {
            Some(fields) => Ok(Self { fields, slips: Vec::new() }),
            None => Err(vec![Slip { pointer: "/".to_owned(), why: Some("it must be an object".to_owned()) }]),
        }
    }

    fn has(&self, field: &str) -> bool {
        self.fields.contains_key(field)
    }

    fn wrong(&mut self, pointer: String, why: impl Into<String>) {
        self.slips.push(Slip { pointer, why: Some(why.into()) });
    }

    fn fields(&mut self, policy: &Policy, let_be: &[&str]) -> Change {
        let mut change = Change::default();
        let fields = self.fields;
        for (field, value) in fields {
            match field.as_str() {
                "url" => change.url = self.url(value, policy),
                "events" => change.events = self.list("events", value, filter),
                "sources" if value.is_null() => change.sources = Some(None),
                "sources" => change.sources = self.list("sources", value, event_name).map(Some),
                "description" if value.is_null() => change.description = Some(None),
                "description" => change.description = self.description(value),
                "active" => match value.as_bool() {
                    Some(active) => change.active = Some(active),
                    None => self.wrong("/active".to_owned(), "it must be true or false"),
                },
                other if let_be.contains(&other) => {}
                other => {
                    let why = "no such field; known are url, events, sources, description and active";
                    self.wrong(format!("/{}", other.replace('~', "~0").replace('/', "~1")), why);
                }
            }
        }
        change
    }

    fn url(&mut self, value: &Value, policy: &Policy) -> Option<Url> {
        match value.as_str().ok_or_else(|| "it must be text".to_owned()).and_then(|text| address(text, policy)) {
            Ok(url) => Some(url),
            Err(why) => {
                self.wrong("/url".to_owned(), why);
                None
            }
        }
    }

    fn list(&mut self, field: &str, value: &Value, good: fn(&str) -> Result<(), String>) -> Option<Vec<String>> {
        let Some(items) = value.as_array().filter(|items| (1..=LIST_LENGTH).contains(&items.len())) else {
            self.wrong(format!("/{field}"), format!("it must be a list of 1 to {LIST_LENGTH} names"));
            return None;
        };
        let mut names: Vec<String> = Vec::with_capacity(items.len());
        for (at, item) in items.iter().enumerate() {
            match item.as_str().ok_or_else(|| "it must be text".to_owned()).and_then(|name| good(name).map(|()| name)) {
                Ok(name) if !names.iter().any(|known| known == name) => names.push(name.to_owned()),
                Ok(_) => {}
                Err(why) => self.wrong(format!("/{field}/{at}"), why),
            }
        }
        Some(names)
    }

    fn description(&mut self, value: &Value) -> Option<Option<String>> {
        match value.as_str().filter(|text| text.chars().count() <= DESCRIPTION_LENGTH && !text.contains('\0')) {
            Some(text) => Some(Some(text.to_owned())),
            None => {
                let why = format!("it must be text of at most {DESCRIPTION_LENGTH} characters");
                self.wrong("/description".to_owned(), why);
                None
            }
        }
    }
}

/// A filter: `*`, a name, or `name.*`.
fn filter(text: &str) -> Result<(), String> {
    match text {
        "*" => Ok(()),
        _ => event_name(text.strip_suffix(".*").unwrap_or(text))
            .map_err(|_| "it must be an event's name, like user.created, or user.*, or *".to_owned()),
    }
}

/// An address that may be called, as far as it can be read.
fn address(text: &str, policy: &Policy) -> Result<Url, String> {
    if text.len() > URL_LENGTH {
        return Err(format!("it must be at most {URL_LENGTH} characters long"));
    }
    let url = Url::parse(text).map_err(|error| format!("it is no URL: {error}"))?;
    match url.scheme() {
        "https" => {}
        "http" if policy.private => {}
        "http" => return Err("it must be https: plain http is for webhooks.allow_private".to_owned()),
        _ => return Err("it must be an https address".to_owned()),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it must not carry a user name or password: deliveries are signed instead".to_owned());
    }
    let private = match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => !policy.allows(address.into()),
        Some(Host::Ipv6(address)) => !policy.allows(address.into()),
        None => return Err("it has no host".to_owned()),
    };
    match private && !policy.private {
        true => Err("its address is private: only public ones are called".to_owned()),
        false => Ok(url),
    }
}

impl Policy {
    fn allows(&self, address: IpAddr) -> bool {
        let private = match address {
            IpAddr::V4(v4) => v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_unspecified(),
            IpAddr::V6(v6) => {
                v6.is_loopback() || v6.is_unspecified() || v6.is_unique_local() || v6.is_unicast_link_local()
            }
        };
        !private || self.allow.iter().any(|network| network.contains(&address))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn slips(body: &Value) -> Vec<String> {
        Draft::read(body, &Policy::default()).unwrap_err().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_mistake_is_named_by_its_pointer() {
        let wrong = json!({"url": "ftp://x/", "events": ["user.*", 7, "a b"], "active": "yes", "color": 1});
        let said = slips(&wrong);
        let pointers: Vec<_> = said.iter().map(|slip| slip.split(' ').nth(1).unwrap()).collect();
        assert_eq!(pointers, ["/url", "/events/1", "/events/2", "/active", "/color"]);
        assert_eq!(slips(&json!({})).len(), 2);
        assert_eq!(slips(&json!([])), ["Invalid / in payload: it must be an object"]);
    }

    #[test]
    fn only_public_addresses_over_https_without_credentials() {
        let of = |url: &str| Draft::read(&json!({"url": url, "events": ["*"]}), &Policy::default());
        for url in [
            "http://a.example/",
            "https://u:p@a.example/",
            "https://127.0.0.1/",
            "https://[::1]/",
            "https://localhost/",
        ] {
            assert!(of(url).is_err(), "{url}");
        }
        assert!(of("https://a.example/hooks?tenant=7").is_ok());
        let private = Policy { private: true, allow: Vec::new() };
        assert!(Draft::read(&json!({"url": "http://localhost:3000/", "events": ["*"]}), &private).is_ok());
        let listed = Policy { private: false, allow: vec!["10.1.0.0/16".parse().unwrap()] };
        assert!(Draft::read(&json!({"url": "https://10.1.2.3/", "events": ["*"]}), &listed).is_ok());
    }

    #[test]
    fn what_was_shown_can_be_sent_back() {
        let shown = json!({"id": "webhook_1", "status": "active", "events": ["*"], "sources": null, "created_at": "x"});
        let change = Change::read(&shown, &Policy::default()).unwrap();
        assert_eq!((change.events, change.sources), (Some(vec!["*".to_owned()]), Some(None)));
    }
}
