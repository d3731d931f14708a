//! Church leaders: who has which role where, what they may do there, and the record of who had it when.
//!
//! Systeme.io documents no such events, so we define their shape:
//!
//! ```json
//! {"type": "church_leader.assigned", "id": "a-1", "created_at": "2026-09-27T19:57:41Z", "data": {
//!   "contact":      {"email": "jane@example.com", "fields": {"first_name": "Jane"}},
//!   "role":         "pastor",
//!   "organisation": {"id": "church-7", "name": "Grace", "kind": "church", "parent_id": "district-2"},
//!   "permissions":  ["members.read", "courses.assign"],
//!   "reason":       "elected"}}
//! ```
//! with the types `church_leader.` assigned, withdrawn, permissions_changed and `organisation.` created, updated,
//! moved, removed (which need `organisation` only). `permissions` is the whole list. `parent_id` sets the place in the
//! hierarchy, null puts it at the top, absent leaves it. Systeme.io's own tag events count too: a contact with the tag
//! `leader:ROLE` leads the organisation that its custom field `organisation` (or `church`) names.

use lychgate_common::{change::Change, row};
use serde_json::json;

use super::{
    contact::{Contact, Tag},
    tables::{CHURCH_LEADER_AUDIT, CHURCH_LEADERS, LEADER_PERMISSIONS, ORGANISATIONS},
    told::{Happened, Stamp, Told},
};
use crate::{handler::Failure, handlers::fields::Fields};

/// What a tag must begin with to be a role.
const ROLE_TAG: &str = "leader:";

/// What happened to a leader.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    Assigned,
    Withdrawn,
    Permissions,
}

impl Step {
    fn name(self) -> &'static str {
        match self {
            Self::Assigned => "assigned",
            Self::Withdrawn => "withdrawn",
            Self::Permissions => "permissions",
        }
    }
}

/// What an event type of this sender means; `None` for one of Systeme.io's or one we have no use for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Leader(Step),
    Organisation { removed: bool },
}

impl Kind {
    pub(super) fn of(kind: &str) -> Option<Self> {
        match kind.to_lowercase().split_once('.')? {
            ("church_leader", step) => match step {
                "assigned" | "created" => Some(Self::Leader(Step::Assigned)),
                "withdrawn" | "removed" | "revoked" => Some(Self::Leader(Step::Withdrawn)),
                "permissions_changed" | "permissions_updated" => Some(Self::Leader(Step::Permissions)),
                _ => None,
            },
            ("organisation" | "organization", step) => match step {
                "created" | "updated" | "moved" => Some(Self::Organisation { removed: false }),
                "removed" | "deleted" => Some(Self::Organisation { removed: true }),
                _ => None,
            },
            _ => None,
        }
    }
}

/// What the event's organisation is placed under.
pub(super) fn parent(data: &Fields<'_>) -> Result<Option<String>, Failure> {
    let parent = organisation_of(data)?.map(|of| of.optional_text("parent_id"));
    Ok(parent.transpose()?.flatten())
}

/// The organisation's row. `above` is what stands above its new parent, the parent included.
pub(super) fn organisation(
    stamp: &Stamp<'_>,
    data: &Fields<'_>,
    removed: bool,
    above: &[String],
) -> Result<Vec<Change>, Failure> {
    let Some(of) = organisation_of(data)? else { return Ok(Vec::new()) };
    let id = of.text("id")?;
    let parent = of.optional_text("parent_id")?;
    if let Some(parent) = &parent
        && (*parent == id || above.contains(&id))
    {
        return Err(Failure::permanent(
            "hierarchy_cycle",
            format!(
                "organisation {id} cannot be placed under {parent}: {parent} is or lies below {id}, and a hierarchy has \
                 no cycles; move {parent} first, then replay"
            ),
        ));
    }
    let mut row = row! { "organisation_id" => id };
    for column in ["name", "kind"] {
        if let Some(text) = of.optional_text(column)? {
            row.insert(column.to_owned(), text.into());
        }
    }
    if of.has("parent_id") {
        row.insert("parent_id".to_owned(), json!(parent));
    }
    if removed {
        row.insert("removed_at".to_owned(), json!(stamp.at));
    } else if stamp.event.kind.starts_with("organi") {
        row.insert("removed_at".to_owned(), json!(null));
    }
    Ok(vec![Change::merge(&ORGANISATIONS, row, stamp.version.clone())])
}

/// A leader's event.
///
/// # Errors
/// Permanent, for what is missing or wrong.
pub(super) fn told(
    stamp: &Stamp<'_>,
    contact: &Contact,
    data: &Fields<'_>,
    step: Step,
) -> Result<Vec<Change>, Failure> {
    let organisation = organisation_of(data)?.ok_or_else(|| data.missing("organisation"))?.text("id")?;
    let role = match step {
        Step::Assigned | Step::Withdrawn => Some(data.text("role")?.trim().to_lowercase()),
        Step::Permissions => data.optional_text("role")?.map(|role| role.trim().to_lowercase()),
    };
    let permissions = data.optional_texts("permissions")?;
    if step == Step::Permissions && permissions.is_none() {
        return Err(data.missing("permissions"));
    }
    let said = Said { organisation, role, permissions, reason: data.optional_text("reason")? };
    Ok(changes(stamp, contact, step, &said))
}

/// What Systeme.io's own tag events mean for leaders; `None` where the tag is no role.
///
/// # Errors
/// Permanent, where the contact does not say which organisation it leads.
pub(super) fn of_systeme(stamp: &Stamp<'_>, told: &Told) -> Result<Option<Vec<Change>>, Failure> {
    let role = |tag: &Tag| {
        let name = tag.name.as_ref()?.trim().to_lowercase();
        Some(name.strip_prefix(ROLE_TAG)?.trim().to_owned()).filter(|role| !role.is_empty())
    };
    let (step, role) = match &told.happened {
        Happened::TagAdded(tag) => (Step::Assigned, role(tag)),
        Happened::TagRemoved(tag) => (Step::Withdrawn, role(tag)),
        Happened::Seen
        | Happened::Sold(_)
        | Happened::SaleCancelled(_)
        | Happened::Enrolled(..)
        | Happened::Unenrolled(_) => return Ok(None),
    };
    let Some(role) = role else { return Ok(None) };
    let slugs = ["organisation", "organisation_id", "organization", "organization_id", "church", "church_id"];
    let organisation = told.contact.field(&slugs).ok_or_else(|| {
        let message = "/contact/fields holds no organisation: which one the contact leads must stand in a custom field \
                       with the slug organisation or church";
        Failure::permanent("missing_field", message)
    })?;
    let said = Said { organisation: organisation.to_owned(), role: Some(role), permissions: None, reason: None };
    Ok(Some(changes(stamp, &told.contact, step, &said)))
}

/// What is said of a leader.
struct Said {
    organisation: String,
    role: Option<String>,
    permissions: Option<Vec<String>>,
    reason: Option<String>,
}

fn changes(stamp: &Stamp<'_>, contact: &Contact, step: Step, said: &Said) -> Vec<Change> {
    let mut changes = vec![Change::append(
        &CHURCH_LEADER_AUDIT,
        row! {
            "event_id" => stamp.event.id,
            "source" => *stamp.event.source,
            "email" => contact.email,
            "organisation_id" => said.organisation,
            "role" => said.role,
            "change" => step.name(),
            "permissions" => said.permissions,
            "reason" => said.reason,
            "at" => stamp.at,
        },
    )];
    if let (Some(role), Step::Assigned | Step::Withdrawn) = (&said.role, step) {
        let mut row = row! { "email" => contact.email, "organisation_id" => said.organisation, "role" => role };
        row.extend(match step {
            Step::Assigned => row! { "status" => "active", "assigned_at" => stamp.at, "withdrawn_at" => json!(null) },
            Step::Withdrawn | Step::Permissions => row! { "status" => "withdrawn", "withdrawn_at" => stamp.at },
        });
        changes.push(Change::merge(&CHURCH_LEADERS, row, stamp.version.clone()));
    }
    if let Some(permissions) = &said.permissions {
        let row = row! {
            "email" => contact.email, "organisation_id" => said.organisation, "permissions" => permissions,
        };
        changes.push(Change::merge(&LEADER_PERMISSIONS, row, stamp.version.clone()));
    }
    changes
}

fn organisation_of<'a>(data: &Fields<'a>) -> Result<Option<Fields<'a>>, Failure> {
    match data.optional_object("organisation")? {
        Some(found) => Ok(Some(found)),
        None => data.optional_object("organization"),
    }
}
