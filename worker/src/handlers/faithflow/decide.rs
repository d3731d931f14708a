//! What an event, or a reconciliation, does to a member. Pure: what is known goes in, changes come out.
//!
//! The document's rules, one function each: created (filters, initial engagement), updated (the profile and nothing
//! else), deleted (archived, history stays).

use lychgate_common::{
    campus::Campus,
    change::{Change, Row},
    row,
    store::KnownMember,
};
use serde_json::{Value, json};

use super::{
    CampusFilter, Happened, Stamp,
    tables::{FILTERED, MEMBERS},
};
use crate::{
    core_api::CoreMember,
    handler::{Cause, Failure, Handled},
};

/// The document's `archived_reason`.
pub(crate) const DELETED_IN_CORE: &str = "Deleted in core system";

/// A member was created or updated; this is what the core system says of it now.
pub(super) fn changed(
    happened: Happened,
    campus: &Campus,
    member: &CoreMember,
    known: Option<&KnownMember>,
    stamp: &Stamp,
) -> Result<Handled, Failure> {
    let Some(known) = known else { return arrived(happened, campus, member, stamp) };
    let mut changes = vec![upsert(campus, member, stamp)];
    if happened == Happened::Created && member.active && was_deleted_in_core(known) {
        changes.push(restore(campus, &member.id, stamp));
    }
    Ok(done(happened, &member.name, &member.id, changes))
}

/// The same, where we do not have the member.
fn arrived(happened: Happened, campus: &Campus, member: &CoreMember, stamp: &Stamp) -> Result<Handled, Failure> {
    if !member.active {
        return Ok(nothing(
            "the core system lists the member as inactive",
            "Member inactive",
            &member.name,
            &member.id,
        ));
    }
    let filter = CampusFilter::read(&campus.filters).map_err(|error| {
        Failure::Permanent(Cause::from("filters_invalid", "the campus's filters cannot be read", error))
    })?;
    if let Some(why) = filter.keeps_out(member, stamp.at) {
        let mut handled = nothing(&format!("filtered: {why}"), "Member filtered", &member.name, &member.id);
        handled.changes.push(filtered(campus, &member.id, &why, stamp));
        return Ok(handled);
    }
    Ok(done(happened, &member.name, &member.id, vec![create(campus, member, stamp)]))
}

/// A member was deleted.
pub(super) fn deleted(campus: &Campus, member_id: &str, known: Option<&KnownMember>, stamp: &Stamp) -> Handled {
    // Also where we do not have it: a copy of the event that created it may be on its way to the same transaction.
    let change = archive(campus, member_id, stamp);
    match known {
        Some(known) => done(Happened::Deleted, known.name.as_deref().unwrap_or(member_id), member_id, vec![change]),
        None => {
            let mut handled = nothing("the member is not stored here", "Member not stored", member_id, member_id);
            handled.changes.push(change);
            handled
        }
    }
}

/// A member was deleted once, and the core system has it now.
pub(super) fn still_there(member: &CoreMember) -> Handled {
    nothing("the core system has the member", "Member not archived", &member.name, &member.id)
}

/// Whether it was the core system's word that archived a member, and not somebody's here.
pub(crate) fn was_deleted_in_core(known: &KnownMember) -> bool {
    known.is_archived && known.archived_reason.as_deref() == Some(DELETED_IN_CORE)
}

/// Stores a member whom we do not have. That it is not archived is as new as its profile, so that a deletion from before
/// it came back, arriving late, does not take hold.
pub(crate) fn create(campus: &Campus, member: &CoreMember, stamp: &Stamp) -> Change {
    let mut change = upsert(campus, member, stamp);
    if let Change::Merge { row, .. } = &mut change {
        // All three: each column has a version of its own, and a late deletion must not leave its reason behind.
        row.extend(row! { "is_archived" => false, "archived_reason" => Value::Null, "archived_at" => Value::Null });
    }
    change
}

/// Stores a member's profile. What is not the profile is set only where the member is new.
pub(crate) fn upsert(campus: &Campus, member: &CoreMember, stamp: &Stamp) -> Change {
    let mut row = key(campus, &member.id);
    row.extend(member.profile.clone());
    row.insert("synced_at".to_owned(), json!(stamp.at));
    let initial = row! {
        "engagement_status" => campus.initial_engagement,
        "is_archived" => false,
        "created_at" => stamp.at,
    };
    Change::Merge { table: &MEMBERS, row, initial, version: stamp.version.clone(), only_existing: false }
}

/// Archives a member.
pub(crate) fn archive(campus: &Campus, member_id: &str, stamp: &Stamp) -> Change {
    archival(
        campus,
        member_id,
        stamp,
        row! {
            "is_archived" => true,
            "archived_reason" => DELETED_IN_CORE,
            "archived_at" => stamp.at,
        },
    )
}

/// Takes an archival back.
pub(crate) fn restore(campus: &Campus, member_id: &str, stamp: &Stamp) -> Change {
    archival(
        campus,
        member_id,
        stamp,
        row! {
            "is_archived" => false,
            "archived_reason" => Value::Null,
            "archived_at" => Value::Null,
        },
    )
}

fn archival(campus: &Campus, member_id: &str, stamp: &Stamp, columns: Row) -> Change {
    let mut row = key(campus, member_id);
    row.extend(columns);
    Change::Merge { table: &MEMBERS, row, initial: Row::new(), version: stamp.version.clone(), only_existing: true }
}

/// Records that a member exists and is kept out.
pub(crate) fn filtered(campus: &Campus, member_id: &str, why: &str, stamp: &Stamp) -> Change {
    let mut row = key(campus, member_id);
    row.extend(row! { "reason" => why, "filtered_at" => stamp.at });
    Change::merge(&FILTERED, row, stamp.version.clone())
}

fn key(campus: &Campus, member_id: &str) -> Row {
    row! { "campus_id" => campus.id, "member_id" => member_id }
}

fn done(happened: Happened, name: &str, member_id: &str, changes: Vec<Change>) -> Handled {
    let what = match happened {
        Happened::Created => "Member created",
        Happened::Updated => "Member updated",
        Happened::Deleted => "Member archived",
    };
    Handled { changes, ignored: None, reply: Some(reply(what, name, member_id)) }
}

fn nothing(why: &str, what: &str, name: &str, member_id: &str) -> Handled {
    Handled { reply: Some(reply(what, name, member_id)), ..Handled::ignored(why) }
}

/// The document's success answer.
fn reply(what: &str, name: &str, member_id: &str) -> Value {
    json!({ "success": true, "message": format!("{what}: {name}"), "member_id": member_id })
}
