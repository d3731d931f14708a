//! The catalogue in memory: what Systeme.io's tags, courses, bundles and plans mean at IBAM.
//!
//! Read whole from the store and kept for a moment, so that an operator's change takes effect without a restart and a
//! burst of events asks once.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use lychgate_common::store::{Course, Store, StoreError, TagCourse, Tier};
use tokio::sync::Mutex;

use super::contact::Tag;

/// What means what.
#[derive(Clone, Debug, Default)]
pub(super) struct Catalogue {
    by_tag: HashMap<String, Vec<String>>,
    by_course: HashMap<String, String>,
    by_bundle: HashMap<String, Vec<String>>,
    tiers: Vec<Tier>,
}

impl Catalogue {
    pub(super) fn new(tags: Vec<TagCourse>, courses: Vec<Course>, tiers: Vec<Tier>) -> Self {
        let mut catalogue = Self { tiers, ..Self::default() };
        for TagCourse { tag, course_id } in tags {
            catalogue.by_tag.entry(tag).or_default().push(course_id);
        }
        for course in courses {
            if let Some(id) = course.systeme_course_id {
                catalogue.by_course.entry(id).or_insert_with(|| course.course_id.clone());
            }
            if let Some(id) = course.systeme_bundle_id {
                catalogue.by_bundle.entry(id).or_default().push(course.course_id);
            }
        }
        catalogue
    }

    /// The courses of a tag, each with the reason under which it is given: the map's own word for the tag, so that a
    /// tag whose name changes keeps its reason as long as the map knows it by its id.
    pub(super) fn of_tag(&self, tag: &Tag) -> Vec<(String, String)> {
        let words = tag.words();
        let mapped = words.iter().filter_map(|word| Some((word, self.by_tag.get(word)?)));
        mapped.flat_map(|(word, courses)| courses.iter().map(move |id| (id.clone(), format!("tag:{word}")))).collect()
    }

    /// IBAM's course for one of Systeme.io's.
    pub(super) fn of_course(&self, systeme_id: &str) -> Option<&str> {
        self.by_course.get(systeme_id).map(String::as_str)
    }

    /// IBAM's courses in one of Systeme.io's bundles.
    pub(super) fn of_bundle(&self, systeme_id: &str) -> &[String] {
        self.by_bundle.get(systeme_id).map_or(&[], Vec::as_slice)
    }

    /// The tier of this name.
    pub(super) fn tier(&self, name: &str) -> Option<&Tier> {
        self.tiers.iter().find(|tier| tier.tier == name)
    }

    /// The tier that a price plan buys.
    pub(super) fn tier_of_plan(&self, plan_id: &str) -> Option<&Tier> {
        self.tiers.iter().find(|tier| tier.price_plan_id.as_deref() == Some(plan_id))
    }

    /// The tier that a tag gives.
    pub(super) fn tier_of_tag(&self, tag: &Tag) -> Option<&Tier> {
        let words = tag.words();
        self.tiers.iter().find(|tier| tier.tag.as_ref().is_some_and(|word| words.contains(word)))
    }
}

/// The catalogue as it was a moment ago.
#[derive(Debug)]
pub(super) struct Remembered {
    store: Store,
    memory: Duration,
    slot: Mutex<Option<(Instant, Arc<Catalogue>)>>,
}

impl Remembered {
    pub(super) fn new(store: Store, memory: Duration) -> Self {
        Self { store, memory, slot: Mutex::default() }
    }

    /// The catalogue. Whoever finds it stale reads it while the others wait.
    pub(super) async fn get(&self) -> Result<Arc<Catalogue>, StoreError> {
        let mut slot = self.slot.lock().await;
        if let Some((at, catalogue)) = slot.as_ref()
            && at.elapsed() < self.memory
        {
            return Ok(Arc::clone(catalogue));
        }
        let (tags, courses) = (self.store.ibam_tags().await?, self.store.ibam_courses().await?);
        let catalogue = Arc::new(Catalogue::new(tags, courses, self.store.ibam_tiers().await?));
        *slot = Some((Instant::now(), Arc::clone(&catalogue)));
        Ok(catalogue)
    }
}
