//! `tidegate restore`: puts a backup into the data folder of a server that is stopped. It knows no table and no format.

use std::path::Path;

use domain::Clock as _;
use serde_json::json;

use super::Exit;
use super::client::Whereabouts;
use super::output::Output;
use crate::SystemClock;

pub(crate) async fn run(file: &Path, force: bool, place: &Whereabouts, output: &mut Output<'_>) -> anyhow::Result<Exit> {
    let done = store::restore(&place.data_dir, file, force, SystemClock.now().wall).await?;
    let value = json!({ "data_dir": place.data_dir, "files": done.files, "replaced": done.replaced });
    output.say(&value, || {
        let aside = done.replaced.as_ref().map_or_else(String::new, |path| format!(" What was there is in {}.", path.display()));
        format!("{} is restored: the database and {} files.{aside} Start the server.", place.data_dir.display(), done.files.len())
    })?;
    Ok(Exit::Done)
}
