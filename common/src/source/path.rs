//! A source's path on the public listener, with named parameters: `/webhooks/services/{serviceId}`.
//!
//! Matches whole paths only; what answers an unknown path is the gateway's business.

use std::{fmt, sync::Arc};

use thiserror::Error;

/// A path that cannot be one.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("path `{path}` {why}")]
pub struct PathFault {
    path: String,
    why: &'static str,
}

/// A path with parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPattern {
    text: Arc<str>,
    steps: Arc<[Step]>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Fixed(String),
    Param(Arc<str>),
}

impl PathPattern {
    /// Reads a pattern: starts with `/`, no query, parameters are whole segments in braces.
    pub fn parse(text: &str) -> Result<Self, PathFault> {
        let fault = |why| PathFault { path: text.to_owned(), why };
        let rest = text.strip_prefix('/').ok_or_else(|| fault("must start with `/`"))?;
        if text.contains(['?', '#', ' ']) {
            return Err(fault("must be a path alone, without query, fragment or blanks"));
        }
        let steps: Arc<[Step]> = rest
            .split('/')
            .map(|step| match step.strip_prefix('{').and_then(|step| step.strip_suffix('}')) {
                Some("") => Err(fault("has a parameter without a name")),
                Some(name) => Ok(Step::Param(name.into())),
                None if step.contains(['{', '}']) => Err(fault("has a parameter that is not a whole segment")),
                None => Ok(Step::Fixed(step.to_owned())),
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { text: text.into(), steps })
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The parameters of a path that matches, in order and percent-decoded; `None` for one that does not. Parameters
    /// are never empty.
    pub fn matches(&self, path: &str) -> Option<Vec<(Arc<str>, String)>> {
        let mut given = path.strip_prefix('/')?.split('/');
        let mut params = Vec::new();
        for step in self.steps.iter() {
            let segment = given.next()?;
            match step {
                Step::Fixed(text) if text == segment => {}
                Step::Fixed(_) => return None,
                Step::Param(name) => params.push((name.clone(), decoded(segment)?)),
            }
        }
        given.next().is_none().then_some(params)
    }

    /// The names of its parameters.
    pub fn params(&self) -> impl Iterator<Item = &Arc<str>> {
        self.steps.iter().filter_map(|step| match step {
            Step::Param(name) => Some(name),
            Step::Fixed(_) => None,
        })
    }

    /// Whether some path matches both patterns with nothing to choose between them; two sources must not.
    pub fn collides_with(&self, other: &Self) -> bool {
        let alike = |(one, two): (&Step, &Step)| match (one, two) {
            (Step::Fixed(one), Step::Fixed(two)) => one == two,
            (Step::Param(_), Step::Param(_)) => true,
            (Step::Fixed(_), Step::Param(_)) | (Step::Param(_), Step::Fixed(_)) => false,
        };
        self.steps.len() == other.steps.len() && self.steps.iter().zip(other.steps.iter()).all(alike)
    }

    /// The pattern with each parameter replaced by `value`'s answer: the path a sender calls.
    pub fn filled(&self, value: impl Fn(&str) -> String) -> String {
        let step = |step: &Step| match step {
            Step::Fixed(text) => format!("/{text}"),
            Step::Param(name) => format!("/{}", value(name)),
        };
        self.steps.iter().map(step).collect()
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn decoded(segment: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        if *first == b'%' {
            let (digits, tail) = tail.split_at_checked(2)?;
            bytes.extend(hex::decode(digits).ok()?);
            rest = tail;
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).ok().filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_taken_whole_and_decoded() {
        let path = PathPattern::parse("/webhooks/services/{serviceId}").unwrap();
        let params = path.matches("/webhooks/services/video%20one").unwrap();
        assert_eq!(params, vec![("serviceId".into(), "video one".to_owned())]);
        for other in ["/webhooks/services", "/webhooks/services/", "/webhooks/services/a/b", "/webhooks/services/%zz"] {
            assert_eq!(path.matches(other), None, "{other}");
        }
    }

    #[test]
    fn patterns_that_cannot_be_paths_are_refused() {
        for bad in ["", "webhooks", "/a/{}", "/a/x{id}", "/a?b=c"] {
            assert!(PathPattern::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_equally_specific_patterns_collide() {
        let pattern = |text| PathPattern::parse(text).unwrap();
        assert!(pattern("/a/{x}").collides_with(&pattern("/a/{y}")));
        assert!(!pattern("/a/{x}").collides_with(&pattern("/a/b")));
    }
}
