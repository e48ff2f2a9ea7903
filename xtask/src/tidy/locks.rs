//! Rules on lock files: they are there, they pin everything, and they name no server to fetch from.

use super::{Breach, File};

const CARGO: &str = "Cargo.lock";
const NPM: &str = "package-lock.json";
const PIP: &str = "requirements.txt";

/// Everything that is wrong with the lock files, missing ones included.
pub(super) fn breaches(files: &[File]) -> Vec<Breach> {
    let mut found = Vec::new();
    let mut missing = |path: String| {
        if !files.iter().any(|file| file.path == path) {
            found.push(Breach::new(path, "missing: what is fetched is pinned and committed"));
        }
    };
    missing(CARGO.into());
    for file in files {
        if let Some(folder) = file.path.strip_suffix("package.json") {
            missing(format!("{folder}{NPM}"));
        }
        if let Some(folder) = file.path.strip_suffix("requirements.in") {
            missing(format!("{folder}{PIP}"));
        }
    }
    found.extend(files.iter().filter(|file| file.path.ends_with(NPM)).flat_map(npm));
    found.extend(files.iter().filter(|file| file.path.ends_with(PIP)).flat_map(pip));
    found
}

/// npm writes where it fetched from; a mirror's address is nobody else's.
fn npm(file: &File) -> Option<Breach> {
    file.text.contains("\"resolved\"").then(|| Breach::new(&file.path, "names a registry: `omit-lockfile-registry-resolved=true`"))
}

fn pip(file: &File) -> Vec<Breach> {
    let mut found = Vec::new();
    for (number, line) in file.text.lines().enumerate().map(|(n, line)| (n + 1, line.trim())) {
        let mut say = |what: &str| found.push(Breach::new(format!("{}:{number}", file.path), what));
        if line.contains("://") || line.starts_with("--index") || line.starts_with("--extra-index") || line.starts_with("--find-links") {
            say("names a registry");
        }
        let names_package = line.starts_with(|c: char| c.is_ascii_alphanumeric());
        if names_package && !line.contains("==") {
            say("not pinned with ==");
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(files: &[(&str, &str)]) -> Vec<String> {
        let file = |(path, text): &(&str, &str)| File { path: (*path).into(), text: (*text).into() };
        let mut all: Vec<_> = files.iter().map(file).collect();
        if !files.iter().any(|(path, _)| path.starts_with("no ")) {
            all.push(file(&(CARGO, "")));
        }
        breaches(&all).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn lock_files_are_there() {
        assert_eq!(said(&[("no lock", "")]).len(), 1);
        assert!(said(&[("a/package.json", "{}")])[0].starts_with("a/package-lock.json: missing"));
        assert!(said(&[("a/requirements.in", "openai")])[0].starts_with("a/requirements.txt: missing"));
        assert_eq!(said(&[("a/package.json", "{}"), ("a/package-lock.json", "{}")]), [""; 0]);
    }

    #[test]
    fn no_server_is_named() {
        assert!(said(&[("package-lock.json", r#"{"resolved": "x"}"#)])[0].contains("names a registry"));
        assert!(said(&[("requirements.txt", "--index-url https://mirror.test/simple\n")])[0].contains("names a registry"));
        assert!(said(&[("requirements.txt", "a @ https://mirror.test/a.whl\n")])[0].contains("names a registry"));
    }

    #[test]
    fn python_packages_are_pinned() {
        assert!(said(&[("requirements.txt", "openai>=1\n")])[0].contains("not pinned"));
        assert_eq!(said(&[("requirements.txt", "# via\nopenai==1.0 \\\n    --hash=sha256:00\n")]), [""; 0]);
    }
}
