//! Signatures whose key is in a certificate that the request itself points at: PayPal's and SNS'.
//!
//! The address is only believed if nobody but the sender can serve it: https, on the sender's own hosts, without a port,
//! a query or anything else that would let a stranger choose. What binds a message to us is signed as well: PayPal's
//! webhook id, and for SNS the topic, because anybody can have AWS sign something.

mod paypal;
mod sns;

use std::{borrow::Cow, sync::Arc};

use base64::Engine as _;
use url::Url;

pub use sns::Subscription;

use super::super::{
    certificate::RsaDigest,
    certificates::Certificates,
    jwks::is_loopback,
    key::BASE64,
    lookups::Found,
    place::{Place, first},
    reading::Reading,
    refused::Refused,
    request::Authentic,
    time::Freshness,
};

/// How such a source is judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Certified {
    /// Whose form it has.
    pub form: CertifiedForm,
    /// How fresh a message must be; where its time stands.
    pub fresh: Freshness,
    /// Whether certificates on this machine count as well: for tests.
    pub loopback: bool,
    /// The certificates known so far.
    pub certificates: Certificates,
}

/// The two senders' ways.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertifiedForm {
    /// PayPal: everything stands in headers, and the body counts by its checksum.
    PayPal {
        /// The webhook's id, as PayPal gave it; it is signed, and not sent.
        webhook_id: Option<Arc<str>>,
    },
    /// Amazon SNS: everything stands in the body.
    Sns {
        /// The topics (ARNs) whose messages are ours.
        topics: Vec<Arc<str>>,
    },
}

/// A request, taken apart, before anybody has vouched for it.
struct Claim {
    certificate: Url,
    digest: RsaDigest,
    signature: Vec<u8>,
    /// What may have been signed.
    signed: Vec<Vec<u8>>,
    time: String,
}

impl Certified {
    /// What a source of this form cannot do without, and has not: the setting, and why.
    pub fn lacks(&self) -> Option<(&'static str, &'static str)> {
        match &self.form {
            CertifiedForm::PayPal { webhook_id: None } => {
                Some(("webhook_id", "PayPal signs the webhook's id, which stands beside the webhook in its dashboard"))
            }
            CertifiedForm::Sns { topics } if topics.is_empty() => Some((
                "topics",
                "list the ARNs of your topics: anybody can have AWS sign a message of a topic of theirs, and subscribe us to it",
            )),
            CertifiedForm::PayPal { webhook_id: Some(_) } | CertifiedForm::Sns { .. } => None,
        }
    }

    /// Where the signature stands.
    pub fn at(&self) -> Place {
        match &self.form {
            CertifiedForm::PayPal { .. } => paypal::SIGNATURE,
            CertifiedForm::Sns { .. } => Place::field("/Signature"),
        }
    }

    /// The hosts whose certificates count, in words.
    pub fn hosts(&self) -> &'static str {
        match &self.form {
            CertifiedForm::PayPal { .. } => "*.paypal.com",
            CertifiedForm::Sns { .. } => "sns.REGION.amazonaws.com",
        }
    }

    pub(super) fn offered<'r>(&self, reading: &Reading<'r>) -> Result<Option<Cow<'r, str>>, Refused> {
        first(&[self.at()], reading).map(|found| found.map(|(_, text)| text))
    }

    /// PayPal's checksum of the body is none that a forger could not meet, so that it vouches for no field.
    pub(super) fn covers(&self, place: &Place) -> bool {
        match &self.form {
            CertifiedForm::PayPal { .. } => *place == paypal::ID,
            CertifiedForm::Sns { .. } => {
                ["/MessageId", "/Message", "/Timestamp", "/TopicArn", "/Type"].map(Place::field).contains(place)
            }
        }
    }

    /// The certificate's address, where none is known that counts today.
    pub(in super::super) fn wanted(&self, reading: &Reading<'_>) -> Option<Url> {
        let address = self.claim(reading).ok()?.certificate;
        (!self.certificates.has(&address, reading.request().received_at)).then_some(address)
    }

    pub(super) fn verify(&self, reading: &Reading<'_>) -> Result<Authentic, Refused> {
        let claim = self.claim(reading)?;
        let received_at = reading.request().received_at;
        let certificate = match self.certificates.at(&claim.certificate) {
            Found::Good(certificate) => certificate,
            Found::Useless => return Err(Refused::malformed("there is no RSA certificate at the address it names")),
            Found::Unreachable => return Err(Refused::KeysUnreachable),
        };
        if !certificate.is_valid(received_at) {
            return Err(Refused::malformed("its certificate has expired, or is not valid yet"));
        }
        let made = |message: &Vec<u8>| certificate.verifies(claim.digest, message, &claim.signature);
        if !claim.signed.iter().any(made) {
            return Err(Refused::SignatureWrong);
        }
        self.certificates.proven(&claim.certificate);
        self.fresh.check(&claim.time, received_at)?;
        if let CertifiedForm::Sns { topics } = &self.form {
            sns::hold(reading, topics, |address| self.is_theirs(address))?;
        }
        Ok(Authentic { secret: certificate.label().to_owned(), payload: None })
    }

    /// What an authentic request says about a subscription, if it does.
    pub(in super::super) fn subscription(&self, reading: &Reading<'_>) -> Option<Subscription> {
        match &self.form {
            CertifiedForm::PayPal { .. } => None,
            CertifiedForm::Sns { .. } => sns::subscription(reading, |address| self.is_theirs(address)),
        }
    }

    fn claim(&self, reading: &Reading<'_>) -> Result<Claim, Refused> {
        match &self.form {
            CertifiedForm::PayPal { webhook_id } => {
                paypal::claim(reading, webhook_id.as_deref().unwrap_or_default(), |address| self.certificate(address))
            }
            CertifiedForm::Sns { .. } => sns::claim(reading, |address| self.certificate(address)),
        }
    }

    /// The address of a certificate, if it is one that only the sender can serve.
    fn certificate(&self, text: &str) -> Result<Url, Refused> {
        let pem = |address: &Url| match &self.form {
            CertifiedForm::PayPal { .. } => true,
            CertifiedForm::Sns { .. } => address.path().ends_with(".pem"),
        };
        let good = |address: &Url| pem(address) && address.query().is_none() && self.is_theirs(address);
        Url::parse(text).ok().filter(good).ok_or_else(|| {
            Refused::malformed(format!("its certificate must be at an https address on {}", self.hosts()))
        })
    }

    /// Whether nobody but the sender answers there.
    fn is_theirs(&self, address: &Url) -> bool {
        if !address.username().is_empty() || address.password().is_some() || address.fragment().is_some() {
            return false;
        }
        if self.loopback && is_loopback(address) {
            return true;
        }
        let host = address.domain().unwrap_or_default();
        let theirs = match &self.form {
            CertifiedForm::PayPal { .. } => host.ends_with(".paypal.com"),
            CertifiedForm::Sns { .. } => sns::is_host(host),
        };
        // The usual port is left out by the parser, so that any port is an unusual one.
        theirs && address.scheme() == "https" && address.port().is_none()
    }
}

fn decoded(signature: &str) -> Result<Vec<u8>, Refused> {
    BASE64.decode(signature).map_err(|_| Refused::malformed("it is not base64"))
}
