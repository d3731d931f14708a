//! Secrets by reference: `env:NAME`, `file:PATH`.
//!
//! A secret may stand literally only where nobody else can read it: in a settings file of mode 0600 or stricter, in an
//! environment variable, on the command line. A value never appears in a mistake's text.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::{
    tree::{Node, Place},
    value::{Context, Readable, text},
};
use crate::secret::Secret;

/// What a secret may look like.
const EXPECTED: &str = "a secret by reference, \"env:NAME\" or \"file:PATH\"";

impl Readable for Secret {
    fn read(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        let text = text(node, cx, EXPECTED)?;
        let value = match text.split_once(':') {
            Some(("env", name)) => match cx.origin.environment.get(name) {
                Some(value) => value.clone().into_bytes(),
                None => return cx.wrong(node, format!("the environment variable {name} is not set")),
            },
            Some(("file", path)) => {
                let path = cx.origin.folder.join(path);
                match std::fs::read(&path) {
                    Ok(value) => without_last_newline(value),
                    Err(error) => return cx.wrong(node, format!("{} cannot be read: {error}", path.display())),
                }
            }
            _ if matches!(node.place, Place::File(..)) && !cx.origin.private => {
                return cx.wrong(
                    node,
                    "a secret stands here literally and others can read this file: write \"env:NAME\" or \
                     \"file:PATH\" instead, or `chmod 600` the file",
                );
            }
            _ => text.as_bytes().to_vec(),
        };
        if value.is_empty() {
            return cx.wrong(node, "the secret is empty");
        }
        Some(Self::new(value))
    }

    fn show(&self) -> String {
        format!("(secret {})", self.label())
    }
}

/// Files written by `echo` end with a newline that is no part of the secret.
fn without_last_newline(mut value: Vec<u8>) -> Vec<u8> {
    if value.last() == Some(&b'\n') {
        value.pop();
        if value.last() == Some(&b'\r') {
            value.pop();
        }
    }
    value
}

/// A 256-bit key, written in base64 or hex: what credentials at rest are encrypted with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EncryptionKey(Secret);

impl EncryptionKey {
    /// Its 32 bytes.
    pub fn secret(&self) -> &Secret {
        &self.0
    }
}

impl Readable for EncryptionKey {
    fn read(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        let written = Secret::read(node, cx)?;
        let text = written.expose().trim_ascii();
        let key = if text.len() == 64 { hex::decode(text).ok() } else { STANDARD.decode(text).ok() };
        match key {
            Some(key) if key.len() == 32 => Some(Self(Secret::new(key))),
            _ => cx.wrong(node, "must be 32 bytes in base64 or hex: make one with `openssl rand -base64 32`"),
        }
    }

    fn show(&self) -> String {
        self.0.show()
    }
}
