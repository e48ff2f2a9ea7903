//! Brings the schema to what this binary knows: migrations are only ever appended, each is one transaction.

use domain::UnixMicros;
use sqlx::{AssertSqlSafe, Row as _};

use super::Database;
use crate::DatabaseFault;

/// One step of the schema.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Migration {
    pub(crate) version: i64,
    pub(crate) text: &'static str,
}

/// All steps, oldest first.
pub(crate) const MIGRATIONS: &[Migration] = &[
    Migration { version: 1, text: include_str!("migrations/sqlite/0001_begin.sql") },
    Migration { version: 2, text: include_str!("migrations/sqlite/0002_waits_debt_shadow.sql") },
    Migration { version: 3, text: include_str!("migrations/sqlite/0003_usage_labels.sql") },
    Migration { version: 4, text: include_str!("migrations/sqlite/0004_provider_credentials.sql") },
    Migration { version: 5, text: include_str!("migrations/sqlite/0005_attempt_list.sql") },
    Migration { version: 6, text: include_str!("migrations/sqlite/0006_people.sql") },
    Migration { version: 7, text: include_str!("migrations/sqlite/0007_plan_requests.sql") },
    Migration { version: 8, text: include_str!("migrations/sqlite/0008_billing.sql") },
    Migration { version: 9, text: include_str!("migrations/sqlite/0009_verified.sql") },
    Migration { version: 10, text: include_str!("migrations/sqlite/0010_keys.sql") },
    Migration { version: 11, text: include_str!("migrations/sqlite/0011_done_once.sql") },
    Migration { version: 12, text: include_str!("migrations/sqlite/0012_payments.sql") },
    Migration { version: 13, text: include_str!("migrations/sqlite/0013_usage_pending.sql") },
    Migration { version: 14, text: include_str!("migrations/sqlite/0014_carried.sql") },
    Migration { version: 15, text: include_str!("migrations/sqlite/0015_reversals.sql") },
    Migration { version: 16, text: include_str!("migrations/sqlite/0016_identities.sql") },
    Migration { version: 17, text: include_str!("migrations/sqlite/0017_counters.sql") },
];

/// Why the schema can't be brought up to date.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MigrateFault {
    #[error("the database has schema {found}, this Tidegate knows {known}")]
    Newer { found: i64, known: i64 },
    #[error("migration {0} is not the one that was applied")]
    Differs(i64),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl From<DatabaseFault> for MigrateFault {
    fn from(fault: DatabaseFault) -> Self {
        Self::Database(fault.into_sqlx())
    }
}

/// Applies what is missing; returns whether the database was empty before.
pub(crate) async fn migrate(database: &Database, steps: &[Migration], now: UnixMicros) -> Result<bool, MigrateFault> {
    let mut transaction = database.begin().await?;
    sqlx::query(
        "CREATE TABLE IF NOT EXISTS migrations (version BIGINT NOT NULL PRIMARY KEY, checksum TEXT NOT NULL, applied BIGINT NOT NULL)",
    )
    .execute(&mut *transaction)
    .await?;
    let rows = sqlx::query("SELECT version, checksum FROM migrations ORDER BY version").fetch_all(&mut *transaction).await?;
    transaction.commit().await?;
    let known = steps.last().map_or(0, |step| step.version);
    let mut applied = 0;
    for row in &rows {
        let (version, checksum): (i64, &str) = (row.try_get("version")?, row.try_get("checksum")?);
        applied = applied.max(version);
        if let Some(step) = steps.iter().find(|step| step.version == version)
            && checksum != checksum_of(step.text)
        {
            return Err(MigrateFault::Differs(version));
        }
    }
    if applied > known {
        return Err(MigrateFault::Newer { found: applied, known });
    }
    for step in steps.iter().filter(|step| step.version > applied) {
        apply(database, step, now).await?;
    }
    Ok(rows.is_empty())
}

async fn apply(database: &Database, step: &Migration, now: UnixMicros) -> Result<(), MigrateFault> {
    let mut transaction = database.begin().await?;
    sqlx::raw_sql(AssertSqlSafe(step.text)).execute(&mut *transaction).await?;
    sqlx::query("INSERT INTO migrations (version, checksum, applied) VALUES ($1, $2, $3)")
        .bind(step.version)
        .bind(checksum_of(step.text))
        .bind(now.0)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(())
}

/// FNV-1a over the words of the text: it tells an edited migration apart, whatever its comments and line ends.
fn checksum_of(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("--"));
    let words = lines.flat_map(str::split_whitespace).flat_map(|word| word.bytes().chain([b' ']));
    let hash = words.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: UnixMicros = UnixMicros(5);

    async fn database(folder: &tempfile::TempDir) -> Database {
        let file = folder.path().join("test.db");
        std::fs::File::options().create(true).append(true).open(&file).unwrap();
        Database::connect(&file, Duration::from_secs(1)).await.unwrap()
    }

    async fn tables(database: &Database) -> Vec<String> {
        sqlx::query_scalar("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetch_all(&database.reads).await.unwrap()
    }

    #[tokio::test]
    async fn a_step_that_fails_half_way_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let one = Migration { version: 1, text: "CREATE TABLE a (x BIGINT);" };
        let broken = Migration { version: 2, text: "CREATE TABLE b (x BIGINT); INSERT INTO a VALUES (1); CREATE TABLE a (y BIGINT);" };
        let whole = Migration { version: 2, text: "CREATE TABLE b (x BIGINT); INSERT INTO a VALUES (1);" };
        let first = database(&folder).await;
        assert!(migrate(&first, &[one], NOW).await.unwrap());
        assert!(matches!(migrate(&first, &[one, broken], NOW).await, Err(MigrateFault::Database(_))));
        assert_eq!(tables(&first).await, ["a", "migrations"]);
        first.close().await;

        let again = database(&folder).await;
        assert!(!migrate(&again, &[one, whole], NOW).await.unwrap());
        assert!(!migrate(&again, &[one, whole], NOW).await.unwrap());
        assert_eq!(tables(&again).await, ["a", "b", "migrations"]);
        let rows: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM a").fetch_one(&again.reads).await.unwrap();
        assert_eq!(rows, 1);
        assert!(matches!(migrate(&again, &[one], NOW).await, Err(MigrateFault::Newer { found: 2, known: 1 })));
        assert!(matches!(migrate(&again, &[one, broken], NOW).await, Err(MigrateFault::Differs(2))));
    }

    #[tokio::test]
    async fn records_of_an_older_schema_keep_all_they_say() {
        let folder = tempfile::tempdir().unwrap();
        let database = database(&folder).await;
        migrate(&database, &MIGRATIONS[..2], NOW).await.unwrap();
        let words = "'p', 'm', 'large', 'any', 'main', 'completions', 1, 200, 'answered', 1";
        let old = format!(
            "INSERT INTO usage_records (request, at, minute, org_id, key_id, plan, model, category, pool, provider, endpoint, streamed, status, \
             outcome, answered, input, output, cached, counted, cost, attempts, first_byte_us, duration_us, waited_us, paused_us, debt) VALUES \
             (X'01', 5, 0, X'02', X'03', {words}, 10, 11, 12, 'provider', 13, 14, 15, 16, 17, 18, 19), \
             (X'04', 6, 0, X'02', X'03', {words}, 20, 21, 22, 'provider', 23, 24, 25, 26, 27, 28, 29), \
             (X'05', 7, 0, X'02', X'03', {words}, 30, 31, 32, 'estimate', 33, 34, 35, 36, 37, 38, 39)"
        );
        sqlx::raw_sql(AssertSqlSafe(old)).execute(&database.writes).await.unwrap();
        migrate(&database, MIGRATIONS, NOW).await.unwrap();
        let row = "hex(request) || ',' || at || ',' || hex(org_id) || hex(key_id) || ',' || plan || ',' || model || ',' || category || ',' || pool \
                   || ',' || provider || ',' || endpoint || ',' || streamed || ',' || status || ',' || outcome || ',' || answered || ',' || input \
                   || ',' || output || ',' || cached || ',' || counted || ',' || cost || ',' || attempts || ',' || first_byte_us || ',' \
                   || duration_us || ',' || waited_us || ',' || paused_us || ',' || debt";
        let rows = format!("SELECT {row} FROM usage_records JOIN usage_labels ON usage_labels.id = labels ORDER BY request");
        let rows: Vec<String> = sqlx::query_scalar(AssertSqlSafe(rows)).fetch_all(&database.reads).await.unwrap();
        let words = "p,m,large,any,main,completions,1,200,answered,1";
        let told = |id, at, n: u32, counted| {
            let [a, b, c, d, e, f, g, h, i, j] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map(|more| n + more);
            format!("{id},{at},0203,{words},{a},{b},{c},{counted},{d},{e},{f},{g},{h},{i},{j}")
        };
        assert_eq!(rows, [told("01", 5, 10, "provider"), told("04", 6, 20, "provider"), told("05", 7, 30, "estimate")]);
        let labels: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM usage_labels").fetch_one(&database.reads).await.unwrap();
        assert_eq!(labels, 2);
        // The counters are made of them.
        for table in ["usage_minutes", "usage_quarters"] {
            let sums = format!("SELECT requests || ',' || input || ',' || output || ',' || cached || ',' || cost FROM {table}");
            let sums: Vec<String> = sqlx::query_scalar(AssertSqlSafe(sums)).fetch_all(&database.reads).await.unwrap();
            assert_eq!(sums, ["3,60,63,66,69"], "{table}");
        }
        let peaks =
            "SELECT pool || ',' || requests || ',' || requests_at || ',' || tokens || ',' || tokens_at FROM pool_quarters ORDER BY pool";
        let peaks: Vec<String> = sqlx::query_scalar(peaks).fetch_all(&database.reads).await.unwrap();
        assert_eq!(peaks, [",3,0,123,0", "any,3,0,123,0"]);
    }

    #[tokio::test]
    async fn the_one_credential_of_an_older_schema_is_the_first_of_several() {
        use domain::Entropy;
        use secrecy::ExposeSecret as _;

        use crate::load::{credential_place, load};
        use crate::seal::{Sealer, SecretKey};

        struct Sevens;
        impl Entropy for Sevens {
            fn fill(&self, bytes: &mut [u8]) {
                bytes.fill(7);
            }
        }

        let folder = tempfile::tempdir().unwrap();
        let database = database(&folder).await;
        migrate(&database, &MIGRATIONS[..3], NOW).await.unwrap();
        let sealer = Sealer::new(&SecretKey::from_bytes([1; 32]));
        for (place, name, secret) in [(0, "a", Some("sk-a")), (1, "b", None), (2, "c", Some("sk-c"))] {
            let sealed = secret.map(|secret| sealer.seal(&credential_place(name), secret.as_bytes(), &Sevens));
            let sql =
                "INSERT INTO providers (name, body, headers, credential, origin, place, updated) VALUES ($1, $2, NULL, $3, 'api', $4, $5)";
            let body = format!(r#"{{"name":"{name}","kind":"vllm","base_url":"http://x/v1"}}"#);
            sqlx::query(sql)
                .bind(name)
                .bind(body)
                .bind(sealed)
                .bind(place)
                .bind(30 + i64::from(place))
                .execute(&database.writes)
                .await
                .unwrap();
        }
        migrate(&database, MIGRATIONS, NOW).await.unwrap();
        let loaded = load(&mut database.reads.acquire().await.unwrap(), &sealer, 1).await.unwrap();
        let all = loaded.directory.all_credentials();
        let shown = |name: &str| {
            let all = all.get(name).into_iter().flatten();
            all.map(|one| (one.secret.expose_secret().to_owned(), one.added.0)).collect::<Vec<_>>()
        };
        assert_eq!((shown("a"), shown("b"), shown("c")), (vec![("sk-a".into(), 30)], vec![], vec![("sk-c".into(), 32)]));
        assert_eq!(loaded.definitions.providers.0.len(), 3);
    }

    #[tokio::test]
    async fn an_invitation_of_an_older_schema_is_found_by_its_address() {
        let folder = tempfile::tempdir().unwrap();
        let database = database(&folder).await;
        migrate(&database, &MIGRATIONS[..13], NOW).await.unwrap();
        let old = "INSERT INTO links (id, hash, purpose, email, created, expires) VALUES \
                   (zeroblob(16), X'01', 'invitation', 'Ada@Example.com', 1, 9), (X'00000000000000000000000000000001', X'02', 'reset', NULL, 1, 9)";
        sqlx::raw_sql(old).execute(&database.writes).await.unwrap();
        migrate(&database, MIGRATIONS, NOW).await.unwrap();
        let mut connection = database.reads.acquire().await.unwrap();
        let found = crate::sql::sessions::invitations_for(&mut connection, &"ada@example.COM".parse().unwrap(), NOW, 9).await.unwrap();
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn versions_only_grow_and_comments_may_change() {
        assert!(MIGRATIONS.windows(2).all(|pair| pair[0].version < pair[1].version));
        assert_eq!(checksum_of("-- why\nCREATE  TABLE\r\n a"), checksum_of("CREATE TABLE a\n"));
        assert_ne!(checksum_of("CREATE TABLE a"), checksum_of("CREATE TABLE b"));
    }
}
