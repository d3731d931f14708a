//! The settings that `up` writes where there are none: every preset enabled, every secret freshly made.
//!
//! Written once, mode 0600, never overwritten: from then on the file is the user's.

use std::{fs::OpenOptions, io::Write, os::unix::fs::OpenOptionsExt, path::Path};

use anyhow::Context;
use base64::{Engine, prelude::BASE64_STANDARD};
use ring::rand::{SecureRandom, SystemRandom};

/// A source of the first settings: its preset, which is also its name, its path where the preset has none that fits, and how its
/// senders write a secret.
struct First {
    preset: &'static str,
    secret: Option<Form>,
    about: &'static str,
}

/// How a secret is written.
#[derive(Clone, Copy)]
enum Form {
    /// 32 hex digits.
    Hex,
    /// Standard Webhooks' `whsec_` and base64.
    Whsec,
    /// None: pages are known by their origin.
    Origin,
}

/// All presets, in the order of the file.
const SOURCES: [First; 7] = [
    First { preset: "platform", secret: Some(Form::Hex), about: "Platform Core" },
    First {
        preset: "faithflow",
        secret: None,
        about: "FaithFlow Enterprise; each campus has a secret of its own: `lychgate campus add`",
    },
    First { preset: "stripe", secret: Some(Form::Hex), about: "Stripe; put the endpoint's `whsec_…` here" },
    First {
        preset: "social-share",
        secret: Some(Form::Origin),
        about: "what visitors share, from the browser; list your pages' origins",
    },
    First {
        preset: "standard-webhooks",
        secret: Some(Form::Whsec),
        about: "any sender that follows standardwebhooks.com",
    },
    First { preset: "github", secret: Some(Form::Hex), about: "GitHub" },
    First { preset: "generic", secret: Some(Form::Hex), about: "a sender of your own: HMAC-SHA256 over the body" },
];

/// Writes the file.
pub(super) fn write(path: &Path) -> anyhow::Result<()> {
    let text = text()?;
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .with_context(|| format!("cannot write the first settings to {}", path.display()))
}

fn text() -> anyhow::Result<String> {
    let mut text = "# Written by the first `lychgate up`, and yours from now on. Nobody else may read this file: it holds secrets.\n\
                    # Secrets can also be \"env:NAME\" or \"file:PATH\". `lychgate check` says what is wrong.\n\n\
                    # Without [database] url, PostgreSQL runs privately beside this file; without [broker] url it is the queue, too.\n\
                    # [database]\n# url = \"env:DATABASE_URL\"\n# [broker]\n# url = \"env:AMQP_URL\"\n\n"
        .to_owned();
    let key = BASE64_STANDARD.encode(random::<32>()?);
    text.push_str(&format!(
        "[secrets]\nencryption_key = \"{key}\"  # for credentials kept in the database; losing it loses them\n"
    ));
    text.push_str(
        "\n# For trying things out on this machine; leave both away where the gateway is reached from outside.\n\
         [faithflow]\nallow_private_core = true  # a campus's core system may be on localhost\n\
         [forward]\nallow = [\"127.0.0.0/8\", \"::1/128\"]  # so may the services that a source's `forward` names\n\
         [webhooks]\nallow_private = true  # and so may the endpoints of webhooks\n",
    );
    text.push_str(&format!("api_keys = [\"{}\"]  # what /v2/webhooks is asked with\n", hex::encode(random::<32>()?)));
    text.push_str(&format!(
        "\n# To have a source's events delivered to a service of your own, write into its table:\n\
         # forward = [\"http://127.0.0.1:3000/hooks\"]\n# forward_secret = \"whsec_{}\"\n",
        BASE64_STANDARD.encode(random::<32>()?)
    ));
    for First { preset, secret, about } in &SOURCES {
        text.push_str(&format!("\n# {about}\n[[source]]\nname = \"{preset}\"\npreset = \"{preset}\"\n"));
        if let Some(form) = secret {
            let line = match form {
                Form::Hex => format!("secrets = [\"{}\"]\n", hex::encode(random::<16>()?)),
                Form::Whsec => format!("secrets = [\"whsec_{}\"]\n", BASE64_STANDARD.encode(random::<24>()?)),
                Form::Origin => "origins = [\"http://localhost:3000\"]\n".to_owned(),
            };
            text.push_str(&line);
        }
    }
    Ok(text)
}

/// Bytes of the operating system's random.
fn random<const N: usize>() -> anyhow::Result<[u8; N]> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| anyhow::anyhow!("the system gives no random bytes"))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use lychgate_common::settings::{Input, Settings, SettingsFile};

    use super::*;

    #[test]
    fn the_first_settings_are_without_mistakes_and_never_the_same() {
        let file = SettingsFile { path: "lychgate.toml".into(), text: text().unwrap(), private: true };
        let settings = Settings::read(&Input { file: Some(file.clone()), ..Input::default() }).unwrap();
        assert_eq!(settings.sources.len(), SOURCES.len());
        assert_ne!(text().unwrap(), file.text);
    }
}
