//! `Idempotency-Key` over `kill -9`: killed before the deed, within it, between it and its answer, and after both, what is asked for under
//! a key is there once, and whoever asks again is told so.

use rustix::process::{Signal, kill_process};
use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _, Row as _};
use tempfile::TempDir;
use testkit::{Answer, Call};

use crate::server::{OPERATOR_TOKEN, Server, Start, until};

/// Where the server is when it is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    /// The deed is being written.
    Deed,
    /// It is written that it was done, in the same transaction.
    Done,
    /// The deed is there, and its answer is being kept.
    Answer,
    /// The answer is kept, and nobody has read it.
    Kept,
}

/// What is asked for, and where it is found.
struct Deed {
    path: String,
    body: Value,
    table: &'static str,
}

/// What takes minutes, within a statement of the server's.
const STALL: &str = "SELECT count(*) FROM migrations a, migrations b, migrations c, migrations d, migrations e, migrations f, migrations g, \
                     migrations h, migrations i, migrations j";

async fn connect(start: &Start) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(start.data.join("tidegate.db")).busy_timeout(std::time::Duration::ZERO);
    options.connect().await.unwrap()
}

async fn run(start: &Start, sql: &str) -> Result<(), sqlx::Error> {
    let mut connection = connect(start).await;
    let done = sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut connection).await;
    connection.close().await.unwrap();
    done.map(drop)
}

async fn count(start: &Start, what: &str) -> i64 {
    let mut connection = connect(start).await;
    let row = sqlx::query(sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {what}"))).fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    row.get(0)
}

fn asking(deed: &Deed) -> Call {
    Call::post(&format!("/api/v1{}", deed.path), &deed.body).key(OPERATOR_TOKEN).header("idempotency-key", "once")
}

async fn ask(server: &Server, deed: &Deed) -> Answer {
    asking(deed).send(server.addr).await
}

impl Moment {
    /// Makes the server stand still there.
    async fn lie_in_wait(self, start: &Start, deed: &Deed) {
        let (table, when) = match self {
            Self::Deed => (deed.table, "1"),
            Self::Done => ("done_once", "NEW.answer IS NULL"),
            Self::Answer => ("done_once", "NEW.answer IS NOT NULL"),
            Self::Kept => return,
        };
        let trigger = format!("CREATE TRIGGER stall BEFORE INSERT ON {table} WHEN {when} BEGIN {STALL}; END");
        until("the trigger is there", async || run(start, &trigger).await.is_ok()).await;
    }

    /// Ready once it stands there.
    async fn has_come(self, start: &Start) {
        match self {
            // Whoever writes a record holds the lock for a moment, and this one for good.
            Self::Deed | Self::Done => {
                let mut in_a_row = 0;
                until("the deed is being written", async || {
                    let is_locked = run(start, "BEGIN IMMEDIATE; ROLLBACK").await.is_err();
                    in_a_row = if is_locked { in_a_row + 1 } else { 0 };
                    in_a_row >= 20
                })
                .await;
            }
            Self::Answer => until("the deed is there", async || count(start, "done_once WHERE answer IS NULL").await == 1).await,
            Self::Kept => until("the answer is there", async || count(start, "done_once WHERE answer IS NOT NULL").await == 1).await,
        }
    }
}

async fn killed_at(moment: Moment, of_keys: bool) {
    let folder = TempDir::new().unwrap();
    let start = Start::new(folder.path(), "");
    let server = start.server().await;
    let org = server.operator("POST", "/orgs", &json!({"name": "Acme", "plan": "starter"})).await;
    let deed = if of_keys {
        Deed { path: format!("/orgs/{}/keys", org["id"].as_str().unwrap()), body: json!({"name": "ci"}), table: "api_keys" }
    } else {
        Deed { path: "/orgs".into(), body: json!({"name": "Twice", "plan": "starter"}), table: "orgs" }
    };
    let before = count(&start, deed.table).await;
    moment.lie_in_wait(&start, &deed).await;
    let addr = server.addr;
    let asked = asking(&deed);
    let (answer, ()) = tokio::join!(asked.try_send(addr), async {
        moment.has_come(&start).await;
        kill_process(server.pid(), Signal::KILL).unwrap();
    });
    assert!(moment == Moment::Kept || answer.is_err(), "{moment:?}: it was answered");
    drop(server);

    run(&start, "DROP TRIGGER IF EXISTS stall").await.unwrap();
    let is_done = matches!(moment, Moment::Answer | Moment::Kept);
    assert_eq!(count(&start, deed.table).await - before, i64::from(is_done), "{moment:?}");
    let server = start.server().await;
    let again = ask(&server, &deed).await;
    let said = format!("{moment:?}: {} {}", again.status, again.text());
    match moment {
        Moment::Deed | Moment::Done => assert_eq!((again.status, again.header("idempotency-replayed")), (201, None), "{said}"),
        Moment::Answer => {
            assert_eq!((again.status, again.json()["error"]["code"].clone()), (409, json!("idempotent_answer_lost")), "{said}");
        }
        Moment::Kept => {
            assert_eq!((again.status, again.header("idempotency-replayed")), (201, Some("true")), "{said}");
            if let Ok(answer) = answer {
                assert_eq!(answer.json(), again.json());
            }
        }
    }
    assert_eq!(ask(&server, &deed).await.status, again.status, "and so it stays");
    assert_eq!(count(&start, deed.table).await - before, 1, "{moment:?}: it is there once");
    if of_keys && again.status == 201 {
        let models = Call::get("/v1/models").key(again.json()["key"].as_str().unwrap()).send(server.addr).await;
        assert_eq!(models.status, 200, "the secret of an answer that was given works");
    }
    let other = Deed { body: json!({"name": "another", "plan": "free"}), ..deed };
    let refused = ask(&server, &other).await;
    assert_eq!(refused.status, 422, "{}", refused.text());
    assert_eq!(count(&start, other.table).await - before, 1);
}

#[tokio::test]
async fn killed_within_the_deed_it_is_not_done_and_is_done_when_asked_again() {
    for of_keys in [true, false] {
        killed_at(Moment::Deed, of_keys).await;
        killed_at(Moment::Done, of_keys).await;
    }
}

#[tokio::test]
async fn killed_between_the_deed_and_its_answer_it_is_done_once_and_whoever_asks_again_is_told_so() {
    for of_keys in [true, false] {
        killed_at(Moment::Answer, of_keys).await;
    }
}

#[tokio::test]
async fn killed_after_its_answer_was_kept_whoever_asks_again_has_that_answer() {
    for of_keys in [true, false] {
        killed_at(Moment::Kept, of_keys).await;
    }
}
