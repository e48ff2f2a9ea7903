//! What a start says to whoever started it. Secrets only to a terminal.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::{DemoAccess, SetupLink};

/// What there is to say.
#[derive(Clone, Debug)]
pub struct Announcement {
    /// Where the server is reached.
    pub url: String,
    /// The file that keeps the operator token; `None`: it was given by the environment.
    pub token_file: Option<PathBuf>,
    /// The link to set up the first operator, until there is one.
    pub setup: Option<SetupLink>,
    /// The demo, where its key works.
    pub demo: Option<DemoAccess>,
}

impl Announcement {
    /// For people. `is_terminal`: whether only the person at the terminal reads it.
    pub fn text(&self, is_terminal: bool) -> String {
        let mut text = String::new();
        let mut line = |name: &str, value: &str| text.push_str(&format!("  {name:<15} {value}\n"));
        line("Model API", &format!("{}/v1", self.url));
        line("Control API", &format!("{}/api/v1", self.url));
        match &self.token_file {
            Some(path) => line("Operator token", &format!("in {}", path.display())),
            None => line("Operator token", "as TIDEGATE_OPERATOR_TOKEN gives it"),
        }
        match &self.setup {
            None => {}
            Some(link) if is_terminal => line("Set up", &format!("{}   (once, within 60 minutes)", link.url)),
            Some(link) => line("Set up", &format!("with the link in {}   (once, within 60 minutes)", link.file.display())),
        }
        let said = format!("Tidegate {} is ready\n{text}", env!("CARGO_PKG_VERSION"));
        match &self.demo {
            None => said,
            Some(demo) if is_terminal => format!("{said}\nTry the demo model (its answers are simulated):\n\n{}\n", demo.curl()),
            Some(demo) => format!(
                "{said}  {:<15} sh {}   (a curl line for the demo model; its answers are simulated)\n",
                "Try it",
                demo.file.display()
            ),
        }
    }

    /// For programs. It holds no secret.
    pub fn json(&self) -> Value {
        json!({
            "url": self.url,
            "operator_token_file": self.token_file,
            "setup_link_file": self.setup.as_ref().map(|link| &link.file),
            "demo_key_file": self.demo.as_ref().map(|demo| &demo.file),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_shown_to_a_terminal_only() {
        let key = domain::ApiKey::generate(&crate::SystemEntropy::default());
        let url = String::from("http://127.0.0.1:8080");
        let demo = DemoAccess { key: key.clone(), file: "d/demo-key".into(), url: url.clone() };
        let setup = SetupLink { url: format!("{url}/setup#token=5ec2e7"), file: "d/setup-link".into() };
        let said = Announcement { url, token_file: Some("d/operator-token".into()), setup: Some(setup), demo: Some(demo) };
        assert!(said.text(true).contains("http://127.0.0.1:8080/setup#token=5ec2e7"));
        assert!(!said.text(false).contains("5ec2e7") && said.text(false).contains("with the link in d/setup-link"));
        assert!(!said.json().to_string().contains("5ec2e7") && !format!("{said:?}").contains("5ec2e7"));
        assert!(said.text(true).contains(key.expose()));
        assert!(said.text(true).contains("in d/operator-token"));
        assert!(!said.text(false).contains(key.expose()));
        assert!(said.text(false).contains("sh d/demo-key"));
        assert!(!said.json().to_string().contains(key.expose()));
    }
}
