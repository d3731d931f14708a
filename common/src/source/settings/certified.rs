//! What the senders with certificates need: `webhook_id` for PayPal, `topics` for SNS, and the table `certificate` for
//! how old a message may be.
//!
//! The hosts of the certificates are the preset's and cannot be set; only this machine can be let in beside them.

use super::super::{
    profile::Profile,
    verify::{CertifiedForm, Verifier},
};
use crate::settings::{Faults, Reader};

/// How a topic's name begins, whatever the partition: `aws`, `aws-cn`, `aws-us-gov`.
const ARN: &str = "arn:aws";

/// Reads them over what the preset says.
pub(super) fn certified(reader: &mut Reader<'_>, profile: &mut Profile) {
    let (webhook_id, topics) = (reader.text("webhook_id"), reader.list("topics"));
    let section = reader.section("certificate");
    let Verifier::Certified(certified) = &mut profile.verifier else {
        let written =
            [("webhook_id", webhook_id.is_some()), ("topics", topics.is_some()), ("certificate", section.is_some())];
        for (key, _) in written.into_iter().filter(|(_, is)| *is) {
            reader.fault(key, "is not used: this source's sender has no certificate");
        }
        return;
    };
    match (&mut certified.form, webhook_id, topics) {
        (CertifiedForm::PayPal { webhook_id }, Some(id), None) => {
            if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                let why = "must be the webhook's id as PayPal's dashboard shows it: letters and digits";
                reader.fault("webhook_id", why);
            }
            *webhook_id = Some(id.into());
        }
        (CertifiedForm::Sns { topics }, None, Some(arns)) => {
            for arn in arns {
                if !arn.starts_with(ARN) || !arn.contains(":sns:") {
                    let why = format!("`{arn}` is no topic: write \"arn:aws:sns:REGION:ACCOUNT:NAME\"");
                    reader.fault("topics", why);
                }
                topics.push(arn.into());
            }
        }
        (_, None, None) => {}
        (CertifiedForm::PayPal { .. }, _, Some(_)) => reader.fault("topics", "is not used: PayPal has none"),
        (CertifiedForm::Sns { .. }, Some(_), _) => reader.fault("webhook_id", "is not used: SNS has none"),
    }
    let Some(section) = section else { return };
    let mut faults = Faults::new();
    let mut inner = section.reader(&mut faults);
    certified.loopback = inner.flag("loopback").unwrap_or(certified.loopback);
    certified.fresh.past = inner.duration("past").unwrap_or(certified.fresh.past);
    certified.fresh.future = inner.duration("future").unwrap_or(certified.fresh.future);
    inner.finish();
    reader.absorb(faults);
}
