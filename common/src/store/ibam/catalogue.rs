//! The catalogue: which tag, course, bundle and plan of Systeme.io means what at IBAM. Read whole, for it is small;
//! imported whole or in part.

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::store::{
    Store, StoreError,
    catalogue::{Imported, Statements},
};

/// A tag gives a course.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TagCourse {
    /// The tag's name in lower case, or its id at Systeme.io.
    pub tag: String,
    /// IBAM's course.
    pub course_id: String,
}

/// A course.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Course {
    /// IBAM's id.
    pub course_id: String,
    /// For people.
    #[serde(default)]
    pub title: Option<String>,
    /// Systeme.io's id of the course.
    #[serde(default)]
    pub systeme_course_id: Option<String>,
    /// Systeme.io's id of the bundle that contains it.
    #[serde(default)]
    pub systeme_bundle_id: Option<String>,
}

/// A tier of membership.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tier {
    /// Its name in lower case.
    pub tier: String,
    /// For people.
    pub title: String,
    /// What its members may see.
    pub access_level: String,
    /// Higher is more.
    #[serde(default)]
    pub rank: i32,
    /// Systeme.io's id of the price plan that buys it.
    #[serde(default)]
    pub price_plan_id: Option<String>,
    /// The tag that gives it: name in lower case, or id.
    #[serde(default)]
    pub tag: Option<String>,
}

const TAGS: Statements = Statements {
    list: "/* ibam_tags */ select to_jsonb(t) from course_tag_map t order by tag, course_id",
    set: "/* ibam_tags_set */ insert into course_tag_map (tag, course_id)
          select r.tag, r.course_id from jsonb_populate_recordset(null::course_tag_map, $1::jsonb) r
          on conflict do nothing",
    remove: "/* ibam_tags_remove */ delete from course_tag_map t where not exists (
                 select from jsonb_populate_recordset(null::course_tag_map, $1::jsonb) r
                 where r.tag = t.tag and r.course_id = t.course_id)",
    action: "ibam.tags.import",
    subject: "ibam",
};

const COURSES: Statements = Statements {
    list: "/* ibam_courses */ select to_jsonb(c) - 'versions' from courses c order by course_id",
    set: "/* ibam_courses_set */ insert into courses (course_id, title, systeme_course_id, systeme_bundle_id)
          select r.course_id, r.title, r.systeme_course_id, r.systeme_bundle_id
          from jsonb_populate_recordset(null::courses, $1::jsonb) r
          on conflict (course_id) do update set title = excluded.title,
              systeme_course_id = excluded.systeme_course_id, systeme_bundle_id = excluded.systeme_bundle_id",
    remove: "/* ibam_courses_remove */ delete from courses c where not exists (
                 select from jsonb_populate_recordset(null::courses, $1::jsonb) r where r.course_id = c.course_id)",
    action: "ibam.courses.import",
    subject: "ibam",
};

const TIERS: Statements = Statements {
    list: "/* ibam_tiers */ select to_jsonb(t) from membership_tiers t order by rank, tier",
    set: "/* ibam_tiers_set */ insert into membership_tiers (tier, title, access_level, rank, price_plan_id, tag)
          select r.tier, r.title, r.access_level, coalesce(r.rank, 0), r.price_plan_id, r.tag
          from jsonb_populate_recordset(null::membership_tiers, $1::jsonb) r
          on conflict (tier) do update set title = excluded.title, access_level = excluded.access_level,
              rank = excluded.rank, price_plan_id = excluded.price_plan_id, tag = excluded.tag",
    remove: "/* ibam_tiers_remove */ delete from membership_tiers t where not exists (
                 select from jsonb_populate_recordset(null::membership_tiers, $1::jsonb) r where r.tier = t.tier)",
    action: "ibam.tiers.import",
    subject: "ibam",
};

impl Store {
    /// The tag map.
    ///
    /// # Errors
    /// The store's.
    pub async fn ibam_tags(&self) -> Result<Vec<TagCourse>, StoreError> {
        self.catalogue(&TAGS).await
    }

    /// The courses.
    ///
    /// # Errors
    /// The store's.
    pub async fn ibam_courses(&self) -> Result<Vec<Course>, StoreError> {
        self.catalogue(&COURSES).await
    }

    /// The tiers, the lowest first.
    ///
    /// # Errors
    /// The store's.
    pub async fn ibam_tiers(&self) -> Result<Vec<Tier>, StoreError> {
        self.catalogue(&TIERS).await
    }

    /// Adds to the tag map; with `replace`, what is not among `rows` goes.
    ///
    /// # Errors
    /// The store's; nothing is changed then.
    pub async fn import_ibam_tags(
        &self,
        rows: &[TagCourse],
        replace: bool,
        actor: &str,
    ) -> Result<Imported, StoreError> {
        self.import(&TAGS, json!(rows), replace, actor).await
    }

    /// Adds or sets courses; with `replace`, what is not among `rows` goes.
    ///
    /// # Errors
    /// The store's; nothing is changed then.
    pub async fn import_ibam_courses(
        &self,
        rows: &[Course],
        replace: bool,
        actor: &str,
    ) -> Result<Imported, StoreError> {
        self.import(&COURSES, json!(rows), replace, actor).await
    }

    /// Adds or sets tiers; with `replace`, what is not among `rows` goes.
    ///
    /// # Errors
    /// The store's; nothing is changed then.
    pub async fn import_ibam_tiers(&self, rows: &[Tier], replace: bool, actor: &str) -> Result<Imported, StoreError> {
        self.import(&TIERS, json!(rows), replace, actor).await
    }
}
