//! The applier against a real PostgreSQL: the order of arrival never matters, and no two batches wait in a circle.

use jiff::Timestamp;
use lychgate_common::{
    change::{Change, Row, Table, Version},
    event::EventId,
    row,
    store::Store,
};
use lychgate_tests::Database;
use tokio_postgres::Client;
use uuid::Uuid;

static MEMBER: Table =
    Table { name: "order", key: &["tenant", "number"], columns: &["name", "amount", "state", "seen"] };
static NOTE: Table = Table { name: "note", key: &["id"], columns: &["text"] };

const SCHEMA: &str = r#"
    create table "order" (
        tenant text not null, number bigint not null, name text, amount numeric,
        state text not null default 'new', seen timestamptz, owned_by_others text not null default 'theirs',
        versions jsonb not null default '{}', primary key (tenant, number));
    create table note (id uuid not null primary key, text text not null)"#;

async fn database() -> (Store, Client) {
    let database = Database::empty().await;
    let client = database.connect().await;
    client.batch_execute(SCHEMA).await.unwrap();
    (crate::rows::store(&database), client)
}

fn version(second: i64) -> Version {
    Version::at(
        Timestamp::from_second(second).unwrap(),
        EventId::from_uuid(Uuid::from_u128(second.unsigned_abs().into())),
    )
}

fn merge(row: Row, second: i64) -> Change {
    Change::merge(&MEMBER, row, version(second))
}

/// The whole table as text, versions included.
async fn content(client: &Client) -> String {
    let sql = r#"select coalesce(string_agg(to_jsonb(o)::text, E'\n' order by tenant, number), '') from "order" o"#;
    client.query_one(sql, &[]).await.unwrap().get(0)
}

async fn clear(client: &Client) {
    client.batch_execute(r#"truncate "order", note"#).await.unwrap();
}

/// A small generator of reproducible orders (xorshift), so that a failure can be run again.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(sides).unwrap()).unwrap()
    }

    fn shuffle<T>(&mut self, list: &mut [T]) {
        (1..list.len()).rev().for_each(|i| list.swap(i, self.roll(i + 1)));
    }
}

fn history(dice: &mut Dice) -> Vec<Change> {
    let change = |second: i64, dice: &mut Dice| {
        let mut row = row! {"tenant" => ["a", "b"][dice.roll(2)], "number" => dice.roll(3)};
        for (column, value) in [("name", row! {"v" => format!("n{second}")}), ("amount", row! {"v" => second})] {
            if dice.roll(2) == 0 {
                row.insert(
                    column.to_owned(),
                    if dice.roll(5) == 0 { serde_json::Value::Null } else { value["v"].clone() },
                );
            }
        }
        merge(row, second)
    };
    (1..=24).map(|second| change(second, dice)).collect()
}

#[tokio::test]
async fn any_order_of_arrival_and_any_batching_gives_the_same_rows() {
    let (store, client) = database().await;
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    for _ in 0..8 {
        let mut changes = history(&mut dice);
        clear(&client).await;
        store.apply(&changes).await.unwrap();
        let expected = content(&client).await;
        for batch in [1, 1, 5, 24] {
            dice.shuffle(&mut changes);
            clear(&client).await;
            for batch in changes.chunks(batch) {
                store.apply(batch).await.unwrap();
            }
            assert_eq!(content(&client).await, expected);
        }
    }
}

#[tokio::test]
async fn an_initial_value_counts_only_for_the_creator_and_never_overwrites() {
    let (store, client) = database().await;
    let with_initial = |second: i64, state: &str| Change::Merge {
        table: &MEMBER,
        row: row! {"tenant" => "a", "number" => 1, "name" => format!("n{second}")},
        initial: row! {"state" => state},
        version: version(second),
        only_existing: false,
    };
    store.apply(&[with_initial(1, "active")]).await.unwrap();
    client.batch_execute(r#"update "order" set state = 'by hand', owned_by_others = 'kept'"#).await.unwrap();
    store.apply(&[with_initial(9, "active")]).await.unwrap();
    let row = client.query_one(r#"select state, name, owned_by_others from "order""#, &[]).await.unwrap();
    assert_eq!((row.get(0), row.get(1), row.get(2)), ("by hand", "n9", "kept"));
}

#[tokio::test]
async fn a_column_that_is_not_set_takes_the_schemas_default_and_null_is_a_value() {
    let (store, client) = database().await;
    store
        .apply(&[merge(row! {"tenant" => "a", "number" => 1, "amount" => 5, "seen" => "2024-01-15T10:30:00Z"}, 1)])
        .await
        .unwrap();
    store.apply(&[merge(row! {"tenant" => "a", "number" => 1, "amount" => serde_json::Value::Null}, 2)]).await.unwrap();
    let row =
        client.query_one(r#"select state, amount::text, seen::text is not null from "order""#, &[]).await.unwrap();
    assert_eq!((row.get::<_, String>(0), row.get::<_, Option<String>>(1), row.get(2)), ("new".to_owned(), None, true));
}

#[tokio::test]
async fn a_merge_into_existing_rows_creates_none_and_obeys_the_versions() {
    let (store, client) = database().await;
    let existing = |number: i64, name: &str, second: i64| Change::Merge {
        table: &MEMBER,
        row: row! {"tenant" => "a", "number" => number, "name" => name},
        initial: Row::new(),
        version: version(second),
        only_existing: true,
    };
    let created = merge(row! {"tenant" => "a", "number" => 1, "name" => "created"}, 5);
    store.apply(&[existing(1, "stale", 4), existing(2, "missing", 6), created]).await.unwrap();
    store.apply(&[existing(1, "fresh", 7)]).await.unwrap();
    let rows = client.query(r#"select name, versions->>'name' from "order""#, &[]).await.unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].get(0), rows[0].get(1)), ("fresh", version(7).as_str()));
}

#[tokio::test]
async fn history_is_written_once_however_often_it_is_applied() {
    let (store, client) = database().await;
    let note = |text: &str| Change::append(&NOTE, row! {"id" => Uuid::nil(), "text" => text});
    store.apply(&[note("first"), note("again")]).await.unwrap();
    store.apply(&[note("later")]).await.unwrap();
    assert_eq!(client.query_one("select text from note", &[]).await.unwrap().get::<_, String>(0), "first");
}

#[tokio::test]
async fn a_refused_value_is_the_datas_fault_and_leaves_nothing_behind() {
    let (store, client) = database().await;
    let good = merge(row! {"tenant" => "a", "number" => 1}, 1);
    for bad in [
        merge(row! {"tenant" => "a", "number" => "seven"}, 1),
        merge(row! {"tenant" => "a", "number" => 2, "name" => "nul \u{0}"}, 1),
        merge(row! {"tenant" => serde_json::Value::Null, "number" => 2}, 1),
        merge(row! {"tenant" => "a", "number" => 2, "nmae" => "a column that is not declared"}, 1),
        // One key in two spellings that only PostgreSQL knows to be equal.
        merge(row! {"tenant" => "a", "number" => "01"}, 1),
    ] {
        let error = store.apply(&[good.clone(), bad]).await.unwrap_err();
        assert!(error.is_data(), "{error:?}");
        assert_eq!(content(&client).await, "");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_with_their_keys_reversed_never_deadlock() {
    let (store, client) = database().await;
    let changes = |second: i64| {
        let numbers: Vec<_> = (0..40).collect();
        let change = move |number: &i64| {
            let row = row! {"tenant" => "a", "number" => number, "amount" => second};
            Change::Merge {
                table: &MEMBER,
                row,
                initial: Row::new(),
                version: version(second),
                only_existing: number % 2 == 0,
            }
        };
        let mut changes: Vec<_> = numbers.iter().map(change).collect();
        if second % 2 == 0 {
            changes.reverse();
        }
        changes
    };
    let numbers: Vec<_> = (0..40).map(|n| merge(row! {"tenant" => "a", "number" => n}, 1)).collect();
    store.apply(&numbers).await.unwrap();
    let batches = (1..=40).map(|second| {
        let (store, changes) = (store.clone(), changes(second));
        tokio::spawn(async move { store.apply(&changes).await })
    });
    for batch in batches.collect::<Vec<_>>() {
        batch.await.unwrap().unwrap();
    }
    let sql = r#"select count(*) from "order" where amount = 40"#;
    assert_eq!(client.query_one(sql, &[]).await.unwrap().get::<_, i64>(0), 40);
}
