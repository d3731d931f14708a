//! How a section of settings is declared: once, with its keys, types, defaults, bounds and meanings.
//!
//! The macro makes of it the struct, the reading and the reference's rows, so that documentation, defaults and code
//! cannot disagree. The doc comment of a field is what an operator reads about it.

/// A setting as documented.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// Its full name, `gateway.max_body`.
    pub name: String,
    /// Its default as it would be written; `unset` where there is none.
    pub default: String,
    /// What it does and why the default is what it is.
    pub meaning: String,
}

impl Row {
    /// The environment variable that overrides it: `LYCHGATE_GATEWAY__MAX_BODY`.
    pub fn variable(&self) -> String {
        format!("{}{}", super::environment::PREFIX, self.name.to_uppercase().replace('.', "__"))
    }
}

/// Declares a section: `key: Type = default, in low..=high;`, bounds where there are some.
macro_rules! section {
    (
        $(#[doc = $about:literal])+
        pub struct $name:ident in $section:literal {
            $($(#[doc = $meaning:literal])+ $key:ident: $type:ty = $default:expr $(, in $bounds:expr)?;)+
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug)]
        pub struct $name {
            $($(#[doc = $meaning])+ pub $key: $type,)+
        }

        impl $name {
            /// The section's name.
            pub(super) const SECTION: &'static str = $section;

            /// Reads the section; what is absent or wrong takes its default.
            pub(super) fn read(reader: &mut $crate::settings::Reader<'_>) -> Self {
                Self {
                    $($key: {
                        let default: fn() -> $type = || $default;
                        $crate::settings::setting::bounded!(reader, stringify!($key), default $(, $bounds)?)
                    },)+
                }
            }

            /// Its lines in the reference.
            pub(super) fn rows() -> Vec<$crate::settings::Row> {
                vec![$({
                    let default: $type = $default;
                    $crate::settings::Row {
                        name: concat!($section, ".", stringify!($key)).to_owned(),
                        default: $crate::settings::Readable::show(&default),
                        meaning: concat!($($meaning),+).trim().to_owned(),
                    }
                }),+]
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($key: $default,)+ }
            }
        }
    };
}

/// Reads one key of [`section`], within bounds where they are given.
macro_rules! bounded {
    ($reader:ident, $key:expr, $default:ident) => {
        $reader.setting($key, $default)
    };
    ($reader:ident, $key:expr, $default:ident, $bounds:expr) => {
        $reader.setting_within($key, $default, $bounds)
    };
}

pub(super) use {bounded, section};
