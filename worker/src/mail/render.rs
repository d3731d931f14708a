//! A template and its variables become a mail's words. Strict: what is missing is an error that names it.
//!
//! The HTML part is escaped, the subject is one line. Templates see their variables and nothing else: no files, no other
//! templates, and only so many steps.

use std::error::Error as _;

use lychgate_common::store::MailTemplate;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior, value::Serde};
use serde_json::{Map, Value};

use crate::handler::{Cause, Failure};

/// Steps that one part may take: thousands of lines, and no endless loop.
const STEPS: u64 = 200_000;
/// Longest subject, in characters; mail programs show some sixty.
const SUBJECT_LIMIT: usize = 500;

/// A mail's words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rendered {
    /// One line.
    pub subject: String,
    /// The plain text, without empty lines at its end.
    pub text: String,
    /// The same as HTML.
    pub html: Option<String>,
}

/// What is wrong with a template, alone or with the variables it got.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct TemplateFault {
    class: &'static str,
    message: String,
    /// Where in the template, for the chain of causes.
    detail: String,
}

impl TemplateFault {
    /// Nobody but an operator can mend it.
    pub(super) fn into_failure(self) -> Failure {
        Failure::Permanent(Cause::from(self.class, self.message, Detail(self.detail)))
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Detail(String);

/// The parts of a template by the name under which mistakes call them; `.html` is escaped.
fn parts<'a>(subject: &'a str, text: &'a str, html: Option<&'a str>) -> impl Iterator<Item = (&'static str, &'a str)> {
    [("subject", subject), ("text", text)].into_iter().chain(html.map(|html| ("html", html)))
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|part| if part == "html" { AutoEscape::Html } else { AutoEscape::None });
    environment.set_fuel(Some(STEPS));
    environment
}

/// Whether a template can be read at all.
///
/// # Errors
/// The first mistake, with its place.
pub fn checked(subject: &str, text: &str, html: Option<&str>) -> Result<(), TemplateFault> {
    let environment = environment();
    for (part, source) in parts(subject, text, html) {
        environment.template_from_named_str(part, source).map_err(|error| unreadable(part, &error))?;
    }
    Ok(())
}

/// Renders a mail.
pub(super) fn render(template: &MailTemplate, data: &Map<String, Value>) -> Result<Rendered, TemplateFault> {
    let environment = environment();
    let one = |part: &'static str, source: &str| {
        let compiled = environment.template_from_named_str(part, source).map_err(|error| unreadable(part, &error))?;
        compiled.render(Serde(data)).map_err(|error| {
            let mut missing: Vec<_> = compiled.undeclared_variables(false).into_iter().collect();
            missing.retain(|name| !data.contains_key(name));
            missing.sort();
            failed(&template.name, part, &missing, &error)
        })
    };
    Ok(Rendered {
        subject: line(&one("subject", &template.subject)?),
        text: one("text", &template.text)?.trim_end().to_owned(),
        html: template.html.as_deref().map(|html| one("html", html)).transpose()?,
    })
}

/// Whatever a variable brought along, a header is one line.
fn line(text: &str) -> String {
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(SUBJECT_LIMIT).collect()
}

fn failed(template: &str, part: &str, missing: &[String], error: &Error) -> TemplateFault {
    let detail = detail(error);
    if error.kind() == ErrorKind::UndefinedError && !missing.is_empty() {
        let (is, names) = (if missing.len() == 1 { "variable" } else { "variables" }, missing.join(", "));
        let message = format!("the template `{template}` wants the {is} {names}, which the mail's data has not");
        return TemplateFault { class: "mail_variable_missing", message, detail };
    }
    let message = format!("the template `{template}` cannot be rendered ({part}): {}", said(error));
    TemplateFault { class: "mail_template_failed", message, detail }
}

fn unreadable(part: &str, error: &Error) -> TemplateFault {
    let message = format!("the template's {part} cannot be read: {}", said(error));
    TemplateFault { class: "mail_template_invalid", message, detail: detail(error) }
}

/// What went wrong, without the variables' values.
fn said(error: &Error) -> String {
    let line = error.line().map(|line| format!(" in line {line}")).unwrap_or_default();
    match error.detail() {
        Some(detail) => format!("{}: {detail}{line}", error.kind()),
        None => format!("{}{line}", error.kind()),
    }
}

fn detail(error: &Error) -> String {
    let beneath = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
    format!("{}{beneath}", said(error))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;

    fn template(subject: &str, text: &str, html: Option<&str>) -> MailTemplate {
        MailTemplate {
            name: "order".into(),
            subject: subject.into(),
            text: text.into(),
            html: html.map(str::to_owned),
            updated_at: Timestamp::UNIX_EPOCH,
        }
    }

    fn rendered(template: &MailTemplate, data: &Value) -> Result<Rendered, TemplateFault> {
        render(template, data.as_object().unwrap())
    }

    #[test]
    fn variables_are_filled_in_escaped_in_html_only_and_cannot_add_a_header() {
        let template = template("For {{name}}", "Dear {{name}} & co", Some("<p>{{name}}</p>"));
        let mail = rendered(&template, &json!({"name": "A <b>\r\nBcc: x@example.com"})).unwrap();
        assert_eq!(mail.subject, "For A <b> Bcc: x@example.com");
        assert_eq!(mail.text, "Dear A <b>\r\nBcc: x@example.com & co");
        assert_eq!(mail.html.as_deref(), Some("<p>A &lt;b&gt;\r\nBcc: x@example.com</p>"));
    }

    #[test]
    fn a_missing_variable_is_named_and_one_that_is_asked_for_may_be_missing() {
        let words = |template: &MailTemplate, data: Value| rendered(template, &data).unwrap_err().to_string();
        let plain = template("Order {{id}}", "{{amount}}", None);
        let said = words(&plain, json!({"id": 1}));
        assert_eq!(said, "the template `order` wants the variable amount, which the mail's data has not");
        assert!(words(&plain, json!({})).contains("the variable id,"));
        assert!(words(&template("{{a}}{{b}}", "", None), json!({})).contains("the variables a, b,"));
        let asked = template("x", "{% if note is defined %}{{note}}{% endif %}{{name}}", None);
        assert_eq!(rendered(&asked, &json!({"name": "J"})).unwrap().text, "J");
        assert!(
            words(&template("x", "{{order.id}}", None), json!({"order": {}})).contains("cannot be rendered (text)")
        );
    }

    #[test]
    fn a_template_that_cannot_be_read_says_where_and_one_without_end_is_stopped() {
        let said = checked("x", "first\n{% if %}", None).unwrap_err().to_string();
        assert!(
            said.starts_with("the template's text cannot be read: syntax error") && said.ends_with("in line 2"),
            "{said}"
        );
        assert!(checked("{{a}}", "{{b}}", Some("<p>{{c}}</p>")).is_ok());
        let endless =
            template("x", "{% for i in range(9999) %}{% for j in range(9999) %}.{% endfor %}{% endfor %}", None);
        assert!(rendered(&endless, &json!({})).unwrap_err().to_string().contains("cannot be rendered"));
        assert!(checked("x", "{% include 'passwd' %}", None).is_err());
    }
}
