//! A sender's certificate (X.509, as PEM): its RSA key, and the days on which that counts.
//!
//! Who issued it is not judged: it is trusted because it came over TLS from an address that only its sender serves, as
//! the senders' own libraries do.

use jiff::Timestamp;
use ring::signature::{
    RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
};
use sha2::{Digest, Sha256};
use thiserror::Error;
use x509_parser::{pem::parse_x509_pem, public_key::PublicKey};

/// What was fetched is of no use.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CertificateFault {
    /// Not PEM, or not a certificate in it.
    #[error("is no certificate in PEM")]
    NotOne,
    /// A key of another kind.
    #[error("has no RSA key")]
    NotRsa,
}

/// The digest under an RSA signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RsaDigest {
    /// SHA-1: only where a sender knows nothing better (the first version of SNS' signatures).
    Sha1,
    /// SHA-256.
    Sha256,
}

/// A certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    n: Vec<u8>,
    e: Vec<u8>,
    /// Seconds since 1970; both ends count.
    valid: std::ops::RangeInclusive<i64>,
    label: String,
}

impl Certificate {
    /// Reads the first certificate of a PEM file: the sender's own; those of its issuers follow, if they are there.
    pub fn read(pem: &[u8]) -> Result<Self, CertificateFault> {
        let (_, pem) = parse_x509_pem(pem).map_err(|_| CertificateFault::NotOne)?;
        let certificate = pem.parse_x509().map_err(|_| CertificateFault::NotOne)?;
        let Ok(PublicKey::RSA(key)) = certificate.public_key().parsed() else { return Err(CertificateFault::NotRsa) };
        let validity = certificate.validity();
        Ok(Self {
            n: without_zeros(key.modulus),
            e: without_zeros(key.exponent),
            valid: validity.not_before.timestamp()..=validity.not_after.timestamp(),
            label: format!("cert:{}", hex::encode(Sha256::digest(&pem.contents).get(..4).unwrap_or_default())),
        })
    }

    /// What its last use is recorded under: a piece of its fingerprint.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Whether it counts on this day.
    pub fn is_valid(&self, at: Timestamp) -> bool {
        self.valid.contains(&at.as_second())
    }

    /// Whether its key made this signature (RSA PKCS#1 v1.5, 2048 bits or more).
    pub fn verifies(&self, digest: RsaDigest, message: &[u8], signature: &[u8]) -> bool {
        let parameters = match digest {
            RsaDigest::Sha1 => &RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
            RsaDigest::Sha256 => &RSA_PKCS1_2048_8192_SHA256,
        };
        RsaPublicKeyComponents { n: &self.n, e: &self.e }.verify(parameters, message, signature).is_ok()
    }
}

/// ASN.1 puts a zero before a number whose first bit is set; `ring` takes none.
fn without_zeros(number: &[u8]) -> Vec<u8> {
    number.iter().copied().skip_while(|byte| *byte == 0).collect()
}
