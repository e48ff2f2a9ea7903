//! `tidegate backup`: everything in the data folder as one file, while a server runs on it. It knows no table and no format.

use std::path::Path;

use serde_json::json;

use super::Exit;
use super::client::Whereabouts;
use super::output::Output;

pub(crate) async fn run(file: &Path, place: &Whereabouts, output: &mut Output<'_>) -> anyhow::Result<Exit> {
    let made = store::backup(&place.data_dir, file).await?;
    let has_key = made.files.iter().any(|name| name == "secret-key");
    let value = json!({ "file": file, "bytes": made.bytes, "files": made.files });
    output.say(&value, || {
        let key = if has_key {
            "It holds the secret key: keep it where only you can read it."
        } else {
            "The secret key is not in it: keep that apart."
        };
        format!("{}: the database and {} files, {} bytes. {key}", file.display(), made.files.len(), made.bytes)
    })?;
    Ok(Exit::Done)
}
