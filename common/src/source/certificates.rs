//! Certificates by their address: what is known of each, and which counts when.

use std::{sync::Arc, time::Instant};

use jiff::Timestamp;
use url::Url;

use super::{
    certificate::{Certificate, CertificateFault},
    lookups::{Found, Lookups},
};

/// The certificates of one source. Clones share what is known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Certificates(Lookups<Url, Certificate>);

impl Certificates {
    /// Held while asking, so that a crowd of requests asks once, and waits for the answer.
    pub fn gate(&self) -> &tokio::sync::Mutex<()> {
        self.0.gate()
    }

    /// What is known of an address.
    pub fn at(&self, address: &Url) -> Found<Certificate> {
        self.0.at(address)
    }

    /// Whether a certificate from there is known that counts at this time.
    pub fn has(&self, address: &Url, at: Timestamp) -> bool {
        matches!(self.at(address), Found::Good(certificate) if certificate.is_valid(at))
    }

    /// Whether the address, which is said to have nothing that counts, may be asked now.
    pub fn due(&self, address: &Url, now: Instant) -> bool {
        self.0.due(address, now)
    }

    /// It is being asked: the cool-down begins, however that ends.
    pub fn asking(&self, address: &Url, now: Instant) {
        self.0.asking(address, now);
    }

    /// It answered with this.
    pub fn answered(&self, address: &Url, pem: &[u8]) -> Result<(), CertificateFault> {
        let read = Certificate::read(pem).map(Arc::new);
        self.0.learn(address, read.as_ref().map_or(Found::Useless, |certificate| Found::Good(Arc::clone(certificate))));
        read.map(drop)
    }

    /// It could not be asked, or (`useless`) answered that there is no certificate.
    pub fn failed(&self, address: &Url, useless: bool) {
        self.0.learn(address, if useless { Found::Useless } else { Found::Unreachable });
    }

    /// The certificate there has verified a request.
    pub(super) fn proven(&self, address: &Url) {
        self.0.proven(address);
    }
}
