//! Rules on crates: which may depend on which, which stay pure, and that all take the workspace's lints.

use std::fs;

use cargo_metadata::{Dependency, DependencyKind, Package};

use super::Breach;

/// What each crate of ours may depend on. A new edge is a commit of its own and changes ARCHITECTURE.md.
const LAYERS: [(&str, &[&str]); 12] = [
    ("limits", &[]),
    ("domain", &["limits"]),
    ("providers", &["domain"]),
    ("replay", &["domain", "limits"]),
    ("store", &["domain", "limits"]),
    ("gateway", &["store", "providers", "domain", "limits"]),
    ("control", &["store", "domain"]),
    ("listener", &["gateway", "control", "store"]),
    ("app", &["listener", "gateway", "control", "store", "providers", "replay", "domain", "limits"]),
    ("tidegate", &["app"]),
    ("testkit", &["domain"]),
    ("xtask", &[]),
];

/// Only ever a development dependency.
const TESTS_ONLY: &str = "testkit";

/// Crates that do no input or output, and what would let them.
const PURE: [&str; 4] = ["limits", "domain", "providers", "replay"];
const IMPURE: [&str; 9] = ["tokio", "hyper", "hyper-util", "axum", "reqwest", "sqlx", "rustix", "libc", "getrandom"];

/// Everything that is wrong with the workspace's crates.
pub(super) fn breaches(packages: &[Package]) -> Vec<Breach> {
    let ours: Vec<_> = packages.iter().map(|p| p.name.as_str()).collect();
    let mut found: Vec<_> = packages.iter().flat_map(|p| of_edges(p.name.as_str(), &p.dependencies, &ours)).collect();
    for package in packages {
        let manifest = fs::read_to_string(&package.manifest_path).unwrap_or_default();
        found.extend(of_manifest(package.name.as_str(), &manifest));
    }
    found
}

fn of_edges(name: &str, dependencies: &[Dependency], ours: &[&str]) -> Vec<Breach> {
    let place = format!("crate {name}");
    let Some((_, may)) = LAYERS.iter().find(|(layer, _)| *layer == name) else {
        return vec![Breach::new(place, "has no place among the layers: give it one in xtask/src/tidy/crates.rs and ARCHITECTURE.md")];
    };
    let mut found = Vec::new();
    for dependency in dependencies {
        let (on, in_tests) = (dependency.name.as_str(), dependency.kind == DependencyKind::Development);
        if ours.contains(&on) && !may.contains(&on) && !(in_tests && (on == TESTS_ONLY || is_whole(name))) {
            found.push(Breach::new(&place, format!("depends on {on}, which lies outside its layer")));
        }
        if !in_tests && PURE.contains(&name) && IMPURE.contains(&on) {
            found.push(Breach::new(&place, format!("is pure and depends on {on}, which reaches outside")));
        }
        if !in_tests && name == "limits" && !is_for_loom(dependency) {
            found.push(Breach::new(&place, format!("depends on {on}: nothing but the standard library")));
        }
    }
    found
}

/// The binary's tests are tests of the whole.
fn is_whole(name: &str) -> bool {
    name == "tidegate"
}

/// Built only where the interleavings are checked, never into the product.
fn is_for_loom(dependency: &Dependency) -> bool {
    dependency.target.as_ref().is_some_and(|target| target.to_string() == "cfg(loom)")
}

fn of_manifest(name: &str, manifest: &str) -> Option<Breach> {
    let inherits = manifest.split("[lints]").nth(1).is_some_and(|rest| rest.trim_start().starts_with("workspace = true"));
    (!inherits).then(|| Breach::new(format!("crate {name}"), "does not take the workspace's lints: `[lints] workspace = true`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dependency(name: &str, kind: &str, target: Option<&str>) -> Dependency {
        let text = serde_json::json!({"name": name, "req": "*", "kind": kind, "optional": false, "uses_default_features": true,
            "features": [], "target": target, "rename": null, "registry": null, "source": null});
        serde_json::from_value(text).unwrap()
    }

    fn said(name: &str, on: &[Dependency]) -> Vec<String> {
        let ours: Vec<_> = LAYERS.iter().map(|(layer, _)| *layer).collect();
        of_edges(name, on, &ours).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_planes_do_not_know_each_other() {
        for (name, on) in
            [("gateway", "control"), ("control", "gateway"), ("domain", "store"), ("store", "providers"), ("testkit", "gateway")]
        {
            for kind in ["normal", "build", "dev"] {
                assert_eq!(said(name, &[dependency(on, kind, None)]).len(), 1, "{name} -> {on}, {kind}");
            }
        }
        assert_eq!(said("app", &[dependency("gateway", "normal", None), dependency("control", "normal", None)]), [""; 0]);
    }

    #[test]
    fn testkit_is_for_tests_alone() {
        assert_eq!(said("store", &[dependency("testkit", "dev", None)]), [""; 0]);
        assert!(said("store", &[dependency("testkit", "normal", None)])[0].contains("outside its layer"));
        assert!(said("app", &[dependency("testkit", "build", None)])[0].contains("outside its layer"));
    }

    #[test]
    fn pure_crates_reach_nothing_outside() {
        for name in PURE {
            assert!(said(name, &[dependency("tokio", "normal", None)])[0].contains("reaches outside"));
        }
        assert_eq!(said("providers", &[dependency("tokio", "dev", None), dependency("memchr", "normal", None)]), [""; 0]);
    }

    #[test]
    fn limits_has_the_standard_library_and_loom_under_its_cfg() {
        assert!(said("limits", &[dependency("memchr", "normal", None)])[0].contains("nothing but the standard library"));
        assert!(said("limits", &[dependency("loom", "normal", None)])[0].contains("nothing but the standard library"));
        assert_eq!(said("limits", &[dependency("loom", "normal", Some("cfg(loom)")), dependency("proptest", "dev", None)]), [""; 0]);
    }

    #[test]
    fn an_unplaced_crate_is_named() {
        assert!(said("surprise", &[])[0].contains("no place among the layers"));
    }

    #[test]
    fn every_crate_takes_the_lints() {
        assert!(of_manifest("x", "[package]\nname = \"x\"\n").is_some());
        assert!(of_manifest("x", "[lints]\n[dependencies]\nworkspace = true").is_some());
        assert!(of_manifest("x", "[package]\n[lints]\nworkspace = true\n").is_none());
    }
}
