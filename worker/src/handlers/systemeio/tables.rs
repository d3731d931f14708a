//! IBAM's tables, as far as its senders change them. The catalogue's other columns belong to the operator.

use lychgate_common::change::Table;

pub(super) static AUTH_USERS: Table =
    Table { name: "auth_users", key: &["email"], columns: &["id", "provider", "provider_id"] };

pub(crate) static USER_PROFILES: Table = Table {
    name: "user_profiles",
    key: &["email"],
    columns: &[
        "contact_id",
        "name",
        "first_name",
        "last_name",
        "locale",
        "fields",
        "unsubscribed",
        "bounced",
        "source_url",
        "registered_at",
        "magic_token",
        "magic_token_expires_at",
    ],
};

pub(super) static COURSES: Table =
    Table { name: "courses", key: &["course_id"], columns: &["title", "systeme_course_id", "systeme_bundle_id"] };

pub(super) static COURSE_ENROLMENTS: Table = Table {
    name: "course_enrolments",
    key: &["email", "course_id", "via"],
    columns: &["status", "access_type", "enrolled_at", "ended_at", "end_reason"],
};

pub(super) static PAYMENTS: Table = Table {
    name: "payments",
    key: &["payment_id"],
    columns: &[
        "email",
        "order_id",
        "amount_cents",
        "discount_cents",
        "currency",
        "status",
        "plan_id",
        "plan_name",
        "processor",
        "coupon",
        "paid_at",
        "cancelled_at",
    ],
};

pub(super) static PAYMENT_HISTORY: Table = Table {
    name: "payment_history",
    key: &["payment_id", "change", "at"],
    columns: &["event_id", "source", "email", "amount_cents", "currency"],
};

pub(super) static MEMBERSHIPS: Table =
    Table { name: "memberships", key: &["email", "via"], columns: &["tier", "status", "started_at", "ends_at"] };

pub(super) static MEMBERSHIP_HISTORY: Table = Table {
    name: "membership_history",
    key: &["event_id"],
    columns: &["source", "email", "via", "change", "tier", "status", "at"],
};

pub(super) static SUBSCRIPTIONS: Table = Table {
    name: "subscriptions",
    key: &["subscription_id"],
    columns: &[
        "email",
        "plan_id",
        "plan_name",
        "status",
        "amount_cents",
        "currency",
        "started_at",
        "current_period_end",
        "cancelled_at",
    ],
};

pub(super) static SUBSCRIPTION_HISTORY: Table = Table {
    name: "subscription_history",
    key: &["event_id"],
    columns: &["source", "subscription_id", "email", "change", "status", "at", "current_period_end"],
};

pub(super) static ACCESS_LEVELS: Table = Table {
    name: "access_levels",
    key: &["email", "via"],
    columns: &["level", "reason", "since", "until", "withheld"],
};

pub(super) static ACCESS_LEVEL_HISTORY: Table = Table {
    name: "access_level_history",
    key: &["event_id"],
    columns: &["source", "email", "via", "level", "reason", "at", "until"],
};

pub(super) static ORGANISATIONS: Table =
    Table { name: "organisations", key: &["organisation_id"], columns: &["name", "kind", "parent_id", "removed_at"] };

pub(super) static CHURCH_LEADERS: Table = Table {
    name: "church_leaders",
    key: &["email", "organisation_id", "role"],
    columns: &["status", "assigned_at", "withdrawn_at"],
};

pub(super) static LEADER_PERMISSIONS: Table =
    Table { name: "leader_permissions", key: &["email", "organisation_id"], columns: &["permissions"] };

pub(super) static CHURCH_LEADER_AUDIT: Table = Table {
    name: "church_leader_audit",
    key: &["event_id"],
    columns: &["source", "email", "organisation_id", "role", "change", "permissions", "reason", "at"],
};

/// Every table that these handlers change.
pub static TABLES: [&Table; 16] = [
    &AUTH_USERS,
    &USER_PROFILES,
    &COURSES,
    &COURSE_ENROLMENTS,
    &PAYMENTS,
    &PAYMENT_HISTORY,
    &MEMBERSHIPS,
    &MEMBERSHIP_HISTORY,
    &SUBSCRIPTIONS,
    &SUBSCRIPTION_HISTORY,
    &ACCESS_LEVELS,
    &ACCESS_LEVEL_HISTORY,
    &ORGANISATIONS,
    &CHURCH_LEADERS,
    &LEADER_PERMISSIONS,
    &CHURCH_LEADER_AUDIT,
];
