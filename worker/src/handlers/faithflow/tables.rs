//! The columns that sync writes. Whatever is not named here (notes, tags, care events) sync cannot touch.

use lychgate_common::change::Table;

/// Members.
pub(super) static MEMBERS: Table = Table {
    name: "members",
    key: &["campus_id", "member_id"],
    columns: &[
        "name",
        "phone",
        "gender",
        "birth_date",
        "photo_url",
        "engagement_status",
        "is_archived",
        "archived_reason",
        "archived_at",
        "synced_at",
        "created_at",
    ],
};

/// Members that a campus's filters keep out.
pub(super) static FILTERED: Table =
    Table { name: "filtered_members", key: &["campus_id", "member_id"], columns: &["reason", "filtered_at"] };

/// Every table that this handler changes.
pub static TABLES: [&Table; 2] = [&MEMBERS, &FILTERED];
