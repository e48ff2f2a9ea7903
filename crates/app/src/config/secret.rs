//! Secrets that are written, or found in an environment variable or a file: one of the three.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use super::table::Table;

/// A secret by the keys that write it, name its variable, and name its file. `needed`: what can't do without, and where it is written.
pub(super) fn secret(
    table: &Table<'_>,
    keys: [&'static str; 3],
    environment: &BTreeMap<String, String>,
    needed: Option<&str>,
) -> Option<SecretString> {
    let [written, variable, file] = keys;
    let found = [table.has(written), table.has(variable), table.has(file)];
    let text = table.get::<SecretString>(written);
    let of_variable = table.checked(variable, |name: String| {
        let value = environment.get(&name).map(|value| value.trim()).filter(|value| !value.is_empty());
        value.map(SecretString::from).ok_or_else(|| format!("environment variable {name} is not set"))
    });
    let of_file = table.checked(file, |path: PathBuf| read_file(&path));
    if found.iter().filter(|is_there| **is_there).count() > 1 {
        table.fault(table.place(), format!("give exactly one of {written}, {variable}, {file}"));
    }
    let secret = text.or(of_variable).or(of_file);
    if let Some(needed) = needed
        && secret.is_none()
        && !found.contains(&true)
    {
        table.fault(table.place(), format!("{needed} needs {written} (or {variable}, or {file})"));
    }
    secret
}

fn read_file(path: &Path) -> Result<SecretString, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("can't read {}: {error}", path.display()))?;
    if text.trim().is_empty() { Err(format!("{} is empty", path.display())) } else { Ok(text.trim().into()) }
}
