//! Courses and payments: what a tag, a sale or an enrolment gives, and what their end takes.
//!
//! Why somebody may take a course is part of the enrolment's key, so that losing a tag does not take a course that was
//! bought. Pure: the catalogue and what was given before go in, changes come out.

use std::collections::BTreeSet;

use lychgate_common::{
    change::{Change, Row},
    row,
    store::Granted,
};

use super::{
    catalogue::Catalogue,
    contact::{Contact, Tag},
    sale::{Bought, Sale},
    tables::{COURSE_ENROLMENTS, COURSES, PAYMENT_HISTORY, PAYMENTS},
    told::{Happened, Stamp, Told},
};

/// The reason of courses that were given at Systeme.io itself.
const BY_SYSTEME: &str = "systeme";

/// The reasons whose courses must be looked up before they can be taken back: the catalogue may have changed since.
pub(super) fn reasons(told: &Told) -> Vec<String> {
    match &told.happened {
        Happened::TagRemoved(tag) => tag.words().iter().map(|word| format!("tag:{word}")).collect(),
        Happened::SaleCancelled(sale) => vec![sale.via()],
        Happened::Seen
        | Happened::TagAdded(_)
        | Happened::Sold(_)
        | Happened::Enrolled(..)
        | Happened::Unenrolled(_) => Vec::new(),
    }
}

/// What an event changes about courses and payments.
pub(super) fn changes(stamp: &Stamp<'_>, told: &Told, catalogue: &Catalogue, given: &[Granted]) -> Vec<Change> {
    let contact = &told.contact;
    let mut changes = Vec::new();
    match &told.happened {
        Happened::Seen => {}
        Happened::TagAdded(tag) => {
            for (course, via) in catalogue.of_tag(tag) {
                changes.push(enrol(stamp, contact, &course, &via, None));
            }
        }
        Happened::TagRemoved(tag) => end(stamp, contact, catalogue.of_tag(tag), given, "tag_removed", &mut changes),
        Happened::Sold(sale) => {
            for bought in &sale.bought {
                for course in courses(stamp, catalogue, bought, &mut changes) {
                    changes.push(enrol(stamp, contact, &course, &sale.via(), sale.access_type.as_deref()));
                }
            }
            changes.extend(payment(stamp, sale, false));
        }
        Happened::SaleCancelled(sale) => {
            let of = |bought| courses(stamp, catalogue, bought, &mut Vec::new());
            let taken = sale.bought.iter().flat_map(of).map(|course| (course, sale.via())).collect();
            end(stamp, contact, taken, given, "sale_cancelled", &mut changes);
            changes.extend(payment(stamp, sale, true));
        }
        Happened::Enrolled(of, access_type) => {
            for bought in of {
                for course in courses(stamp, catalogue, bought, &mut changes) {
                    changes.push(enrol(stamp, contact, &course, BY_SYSTEME, access_type.as_deref()));
                }
            }
        }
        Happened::Unenrolled(of) => {
            let ids = of.iter().flat_map(|bought| courses(stamp, catalogue, bought, &mut Vec::new()));
            let taken = ids.map(|course| (course, BY_SYSTEME.to_owned())).collect();
            end(stamp, contact, taken, given, "unenrolled", &mut changes);
        }
    }
    changes.extend(standing(stamp, told, catalogue));
    changes
}

/// The tags that the contact has by the sender's own list, whatever the event is about.
fn standing(stamp: &Stamp<'_>, told: &Told, catalogue: &Catalogue) -> Vec<Change> {
    let named = match &told.happened {
        Happened::TagAdded(tag) | Happened::TagRemoved(tag) => Some(tag),
        Happened::Seen
        | Happened::Sold(_)
        | Happened::SaleCancelled(_)
        | Happened::Enrolled(..)
        | Happened::Unenrolled(_) => None,
    };
    let same = |tag: &&Tag| named.is_none_or(|named| !tag.words().iter().any(|word| named.words().contains(word)));
    let listed = told.contact.tags.iter().filter(same).flat_map(|tag| catalogue.of_tag(tag));
    listed
        .map(|(course, via)| {
            let row = enrolment(
                &told.contact,
                &course,
                &via,
                row! {
                    "status" => "active", "ended_at" => Option::<String>::None, "end_reason" => Option::<String>::None,
                },
            );
            Change::Merge {
                table: &COURSE_ENROLMENTS,
                row,
                // The tag may be much older than this news of it; where its own event tells, that holds.
                initial: row! { "enrolled_at" => stamp.at },
                version: stamp.version.clone(),
                only_existing: false,
            }
        })
        .collect()
}

/// IBAM's courses for something bought. One that the catalogue does not know becomes a course of its own, so that
/// nothing that was paid for is lost.
fn courses(stamp: &Stamp<'_>, catalogue: &Catalogue, bought: &Bought, changes: &mut Vec<Change>) -> Vec<String> {
    let (kind, column, systeme_id, title) = match bought {
        Bought::Tag(tag) => return catalogue.of_tag(tag).into_iter().map(|(course, _)| course).collect(),
        Bought::Course(id, name) => match catalogue.of_course(id) {
            Some(course) => return vec![course.to_owned()],
            None => ("systeme", "systeme_course_id", id, name),
        },
        Bought::Bundle(id, name) => match catalogue.of_bundle(id) {
            [] => ("systeme-bundle", "systeme_bundle_id", id, name),
            courses => return courses.to_vec(),
        },
    };
    let course_id = format!("{kind}-{systeme_id}");
    let mut initial = row! { "title" => title };
    initial.insert(column.to_owned(), systeme_id.as_str().into());
    changes.push(Change::Merge {
        table: &COURSES,
        row: row! { "course_id" => course_id },
        initial,
        version: stamp.version.clone(),
        only_existing: false,
    });
    vec![course_id]
}

fn enrol(stamp: &Stamp<'_>, contact: &Contact, course: &str, via: &str, access_type: Option<&str>) -> Change {
    let mut columns = row! {
        "status" => "active",
        "enrolled_at" => stamp.at,
        "ended_at" => Option::<String>::None,
        "end_reason" => Option::<String>::None,
    };
    if let Some(access_type) = access_type {
        columns.insert("access_type".to_owned(), access_type.into());
    }
    Change::merge(&COURSE_ENROLMENTS, enrolment(contact, course, via, columns), stamp.version.clone())
}

/// Ends what the catalogue says was given and what is stored as given. Ended also where it is not stored: the event
/// that gave it may still be on its way.
fn end(
    stamp: &Stamp<'_>,
    contact: &Contact,
    by_catalogue: Vec<(String, String)>,
    given: &[Granted],
    reason: &str,
    changes: &mut Vec<Change>,
) {
    let stored = given.iter().map(|granted| (granted.course_id.clone(), granted.via.clone()));
    let all: BTreeSet<_> = by_catalogue.into_iter().chain(stored).collect();
    for (course, via) in all {
        let columns = row! { "status" => "ended", "ended_at" => stamp.at, "end_reason" => reason };
        let row = enrolment(contact, &course, &via, columns);
        changes.push(Change::merge(&COURSE_ENROLMENTS, row, stamp.version.clone()));
    }
}

fn enrolment(contact: &Contact, course: &str, via: &str, columns: Row) -> Row {
    let mut row = row! { "email" => contact.email, "course_id" => course, "via" => via };
    row.extend(columns);
    row
}

/// The payment of a sale, or its cancellation, and its line of history.
pub(super) fn payment(stamp: &Stamp<'_>, sale: &Sale, cancelled: bool) -> [Change; 2] {
    let plan = sale.plan.as_ref();
    let currency = plan.and_then(|plan| plan.currency.as_deref());
    let status = if cancelled { "cancelled" } else { "paid" };
    let mut row = row! {
        "payment_id" => sale.via(),
        "email" => sale.customer.email,
        "order_id" => sale.order_id,
        "amount_cents" => sale.amount_cents,
        "discount_cents" => sale.discount_cents,
        "currency" => currency,
        "status" => status,
        "plan_id" => plan.and_then(|plan| plan.id.as_deref()),
        "plan_name" => plan.and_then(|plan| plan.name.as_deref()),
        "processor" => sale.processor,
        "coupon" => sale.coupon,
        "paid_at" => sale.ordered_at,
    };
    // What a cancellation leaves out, the sale has told or will tell.
    row.retain(|_, value| !value.is_null());
    if cancelled {
        row.insert("cancelled_at".to_owned(), serde_json::json!(stamp.at));
    } else if sale.ordered_at.is_none() {
        row.insert("paid_at".to_owned(), serde_json::json!(stamp.at));
    }
    let history = row! {
        "event_id" => stamp.event.id,
        "source" => *stamp.event.source,
        "payment_id" => sale.via(),
        "email" => sale.customer.email,
        "change" => status,
        "at" => stamp.at,
        "amount_cents" => sale.amount_cents,
        "currency" => currency,
    };
    [Change::merge(&PAYMENTS, row, stamp.version.clone()), Change::append(&PAYMENT_HISTORY, history)]
}
