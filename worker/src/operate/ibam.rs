//! What operators do to IBAM: import and export the catalogue as CSV or JSON, hand out a magic token.
//!
//! What is imported takes effect with the next event, without a restart.

use super::catalogue::{Part, needed};
use jiff::Timestamp;
use lychgate_common::{
    magic::{MagicToken, NoRandom},
    store::{Course, Imported, Store, StoreError, TagCourse, Tier},
};

/// Why the catalogue was not imported, or a token not issued.
#[derive(Debug, thiserror::Error)]
pub enum IbamError {
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

impl Part for TagCourse {
    const COLUMNS: &'static [&'static str] = &["tag", "course_id"];
    const PLAIN: &'static [&'static str] = &[];

    fn checked(self) -> Result<Self, String> {
        Ok(Self { tag: needed("tag", &self.tag)?.to_lowercase(), course_id: needed("course_id", &self.course_id)? })
    }
}

impl Part for Course {
    const COLUMNS: &'static [&'static str] = &["course_id", "title", "systeme_course_id", "systeme_bundle_id"];
    const PLAIN: &'static [&'static str] = &[];

    fn checked(self) -> Result<Self, String> {
        Ok(Self { course_id: needed("course_id", &self.course_id)?, ..self })
    }
}

impl Part for Tier {
    const COLUMNS: &'static [&'static str] = &["tier", "title", "access_level", "rank", "price_plan_id", "tag"];
    const PLAIN: &'static [&'static str] = &["rank"];

    fn checked(self) -> Result<Self, String> {
        Ok(Self {
            tier: needed("tier", &self.tier)?.to_lowercase(),
            access_level: needed("access_level", &self.access_level)?,
            tag: self.tag.map(|tag| tag.trim().to_lowercase()).filter(|tag| !tag.is_empty()),
            ..self
        })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operate::catalogue::{Form, read, written};

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
