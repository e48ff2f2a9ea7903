//! A page that tells somebody what came of something that they were sent here for, and where they can go on. It has no script.

use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};

use super::{HTML, escaped, headers};

const PAGE: &str = include_str!("said.html");

/// What is told.
#[derive(Debug)]
pub(crate) struct Said {
    status: StatusCode,
    /// How the page's own address leads to the first of all pages: `../..` and so on.
    root: &'static str,
    title: &'static str,
    text: String,
    /// Where one can go on, from there: a path and what it is called.
    links: Vec<(String, &'static str)>,
    is_onward: bool,
    more: Vec<(HeaderName, HeaderValue)>,
}

impl Said {
    /// A page that is so many steps below the first.
    pub(crate) fn new(status: StatusCode, root: &'static str, title: &'static str, text: impl Into<String>) -> Self {
        Self { status, root, title, text: text.into(), links: Vec::new(), is_onward: false, more: Vec::new() }
    }

    /// With a link to a path of this server.
    pub(crate) fn link(mut self, path: &str, label: &'static str) -> Self {
        self.links.push((path.into(), label));
        self
    }

    /// The browser goes on by itself where the first link leads. It then comes from a page of this server's own, so that it brings its
    /// session with it; redirected from elsewhere it would not (`SameSite=Strict`).
    pub(crate) fn onward(mut self) -> Self {
        self.is_onward = true;
        self
    }

    /// With one more header.
    pub(crate) fn with(mut self, more: (HeaderName, HeaderValue)) -> Self {
        self.more.push(more);
        self
    }

    /// It may be tried again after so many seconds.
    pub(crate) fn after(self, seconds: u64) -> Self {
        self.with((header::RETRY_AFTER, HeaderValue::from(seconds)))
    }

    fn page(&self) -> String {
        let path = |path: &str| format!("{}{}", self.root, escaped(path));
        let onward = self.links.first().filter(|_| self.is_onward);
        let onward = onward.map(|(to, _)| format!("\n<meta http-equiv=\"refresh\" content=\"0; url={}\">", path(to)));
        let links: Vec<_> = self.links.iter().map(|(to, label)| format!("<a href=\"{}\">{}</a>", path(to), escaped(label))).collect();
        // One pass, so that nothing that is filled in is taken for a place to fill.
        let mut page = String::with_capacity(PAGE.len() + 500);
        for piece in PAGE.split_inclusive(['{', '}']) {
            match piece.strip_suffix('}') {
                Some("title") => page.push_str(&escaped(self.title)),
                Some("text") => page.push_str(&escaped(&self.text)),
                Some("links") => page.push_str(&links.join(" · ")),
                Some("root") => page.push_str(self.root),
                Some("onward") => page.push_str(onward.as_deref().unwrap_or_default()),
                Some(_) | None => page.push_str(piece.trim_end_matches('{')),
            }
        }
        page
    }
}

impl IntoResponse for Said {
    fn into_response(self) -> Response {
        let mut response = (self.status, headers(HTML, "no-store"), self.page()).into_response();
        for (name, value) in self.more {
            response.headers_mut().append(name, value);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_text_and_leads_to_paths_of_this_server() {
        let evil = "<script>alert(1)</script>\"'&{title}";
        let page = Said::new(StatusCode::OK, "../..", "Title", evil).link("/a?b=\"&c", "there").page();
        assert!(!page.contains("<script") && page.contains("&lt;script&gt;") && page.contains("&amp;{title}</p>"), "{page}");
        assert!(page.contains("<a href=\"../../a?b=&quot;&amp;c\">there</a>") && page.contains("href=\"../../pages/pages.css\""), "{page}");
        assert!(!page.contains("refresh") && page.contains("<h1>Title</h1>"), "{page}");
        let page = Said::new(StatusCode::OK, "../..", "Title", "text").link("/a", "there").onward().page();
        assert!(page.contains("content=\"0; url=../../a\">"), "{page}");
    }
}
