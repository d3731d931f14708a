//! FaithFlow's core API as far as FaithTracker uses it: one member, and all of them page by page.
//!
//! Wants the bearer token it was started with, and can be told to fail.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};

use crate::receiver::{Answer, Received, Receiver};

/// A running core API.
#[derive(Debug)]
pub struct CoreApi {
    server: Receiver,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    token: String,
    members: BTreeMap<String, Value>,
    failing: Option<Answer>,
}

impl CoreApi {
    /// Starts one without members.
    pub async fn start(token: &str) -> Self {
        let state = Arc::new(Mutex::new(State { token: token.to_owned(), ..State::default() }));
        let scripted = Arc::clone(&state);
        let server = Receiver::start(move |request| scripted.lock().unwrap().answer(request)).await;
        Self { server, state }
    }

    /// Its base URL.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// The requests it got.
    pub fn seen(&self) -> Vec<Received> {
        self.server.seen()
    }

    /// Adds or replaces a member with these fields; `id` and `name` are set.
    pub fn put(&self, id: &str, name: &str, church: &str) {
        let member = json!({
            "id": id, "name": name, "church_id": church, "phone": "+62 812 0000 1111", "gender": "Female",
            "birth_date": "1980-05-17", "photo_url": format!("https://photos.example.com/{id}.jpg"),
            "membership_status": "Active", "is_active": true, "updated_at": "2025-11-20T01:39:00Z",
        });
        self.state.lock().unwrap().members.insert(id.to_owned(), member);
    }

    /// Adds a field to a member, or replaces it.
    pub fn set(&self, id: &str, field: &str, value: Value) {
        self.state.lock().unwrap().members.get_mut(id).unwrap()[field] = value;
    }

    /// Forgets a member.
    pub fn remove(&self, id: &str) {
        self.state.lock().unwrap().members.remove(id);
    }

    /// Answers everything with this until [`CoreApi::heal`].
    pub fn fail_with(&self, answer: Answer) {
        self.state.lock().unwrap().failing = Some(answer);
    }

    /// Answers as it should again.
    pub fn heal(&self) {
        self.state.lock().unwrap().failing = None;
    }
}

impl State {
    fn answer(&self, request: &Received) -> Answer {
        if let Some(answer) = &self.failing {
            return answer.clone();
        }
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        if path.trim_end_matches('/').ends_with("/login") {
            return Answer::json(200, &json!({"access_token": self.token, "token_type": "bearer"}));
        }
        if request.header("authorization") != Some(&format!("Bearer {}", self.token)) {
            return Answer::json(401, &json!({"detail": "Not authenticated"}));
        }
        match path.strip_prefix("/api/members").map(|rest| rest.trim_matches('/')) {
            Some("") => self.page(query),
            Some(id) => match self.members.get(id) {
                Some(member) => Answer::json(200, member),
                None => Answer::json(404, &json!({"detail": "Member not found"})),
            },
            None => Answer::status(404),
        }
    }

    /// Understands the common ways to page: `page`/`per_page`/`page_size`, `skip`/`offset`, `limit`.
    fn page(&self, query: &str) -> Answer {
        let number = |names: &[&str]| {
            let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.filter(|(name, _)| names.contains(name)).find_map(|(_, value)| value.parse::<usize>().ok())
        };
        let limit = number(&["limit", "per_page", "page_size"]).unwrap_or(50);
        let page = number(&["page"]).map(|page| (page.max(1) - 1) * limit);
        let skip = number(&["skip", "offset"]).or(page).unwrap_or(0);
        let members: Vec<_> = self.members.values().skip(skip).take(limit).collect();
        Answer::json(200, &json!({"members": members, "total": self.members.len()}))
            .header("x-total-count", &self.members.len().to_string())
    }
}
