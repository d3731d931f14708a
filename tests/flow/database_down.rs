//! PostgreSQL away: no success without a row, a clear "come again", and everything works once it is back.

use lychgate_tests::{
    Postgres, eventually,
    sender::{platform, platform_user_created},
    settings::secrets::PLATFORM,
    stage::{QUICK, Stage},
};

#[tokio::test]
async fn with_postgresql_away_nothing_is_promised_and_afterwards_everything_works() {
    let postgres = Postgres::start().await;
    let stage = Stage::on(postgres.fresh().await, None, QUICK).await;
    let request = |n: usize| platform(PLATFORM, platform_user_created(&format!("w{n}"), &format!("u{n}")));
    assert!(stage.send(&request(0)).await.is_success());

    postgres.stop();
    for n in 1..5 {
        let reply = stage.send(&request(n)).await;
        assert_eq!(reply.status, 503, "{reply:?}");
        assert!(reply.header("retry-after").is_some(), "{reply:?}");
        assert!(!reply.detail().is_empty());
    }
    postgres.start_again().await;
    for n in 1..5 {
        let reply = eventually("the sender's retry is accepted", async || match stage.send(&request(n)).await {
            reply if reply.is_success() => Ok(reply),
            reply => Err(format!("{reply:?}")),
        })
        .await;
        assert_eq!(reply.header("idempotent-replayed"), None, "a refusal leaves nothing that looks like a duplicate");
        stage.becomes(reply.event_id(), "succeeded").await;
    }
    assert_eq!(stage.database.count("select count(*) from platform_user").await, 5);
}
