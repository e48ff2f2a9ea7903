//! The command line, and the request that it describes. It knows nothing of connections.

use std::ops::Range;
use std::str::FromStr;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Closed,
    Rate,
    Stream,
}

impl Mode {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Rate => "rate",
            Self::Stream => "stream",
        }
    }
}

pub(crate) struct Options {
    pub(crate) mode: Mode,
    /// `HOST:PORT`.
    pub(crate) addr: String,
    pub(crate) path: String,
    /// Each request takes the next, round and round; all are of one length.
    pub(crate) keys: Vec<String>,
    pub(crate) model: String,
    pub(crate) headers: Vec<String>,
    pub(crate) label: String,
    pub(crate) pid: Option<u32>,
    pub(crate) conns: usize,
    pub(crate) secs: f64,
    pub(crate) rate: f64,
    pub(crate) count: u64,
    pub(crate) chunks: u64,
    pub(crate) delay_us: u64,
    pub(crate) latency_us: u64,
    pub(crate) warm: u64,
    pub(crate) body_bytes: usize,
    /// The status that counts as an answer.
    pub(crate) expect: u16,
}

impl Options {
    pub(crate) fn parse(mut args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mode = match args.next().as_deref() {
            Some("closed") => Mode::Closed,
            Some("rate") => Mode::Rate,
            Some("stream") => Mode::Stream,
            other => return Err(format!("no such mode: {}", other.unwrap_or("(none)"))),
        };
        let mut options = Self::new(mode);
        while let Some(name) = args.next() {
            let value = args.next().ok_or_else(|| format!("{name} needs a value"))?;
            options.set(&name, value)?;
        }
        if options.addr.is_empty() {
            return Err("--url is needed".into());
        }
        if options.keys.iter().any(|key| key.len() != options.keys[0].len()) {
            return Err("keys must be of one length".into());
        }
        Ok(options)
    }

    fn new(mode: Mode) -> Self {
        Self {
            mode,
            addr: String::new(),
            path: "/v1/chat/completions".into(),
            keys: vec!["sk-test".into()],
            model: "gpt-4o-mini".into(),
            headers: Vec::new(),
            label: String::new(),
            pid: None,
            conns: 64,
            secs: 5.0,
            rate: 200.0,
            count: u64::MAX,
            chunks: 100,
            delay_us: 50_000,
            latency_us: 0,
            warm: 0,
            body_bytes: 1024,
            expect: 200,
        }
    }

    fn set(&mut self, name: &str, value: String) -> Result<(), String> {
        match name {
            "--url" => {
                let rest = value.strip_prefix("http://").ok_or("only http:// URLs")?;
                self.addr = rest.split('/').next().unwrap_or("").to_owned();
            }
            "--path" => self.path = value,
            "--key" => self.keys = vec![value],
            "--keys" => {
                let text = std::fs::read_to_string(&value).map_err(|e| format!("{value}: {e}"))?;
                self.keys = text.lines().map(str::to_owned).collect();
                if self.keys.is_empty() {
                    return Err(format!("{value} holds no key"));
                }
            }
            "--model" => self.model = value,
            "--header" => self.headers.push(value),
            "--label" => self.label = value,
            "--pid" => self.pid = Some(number(&value)?),
            "--conns" => self.conns = number::<usize>(&value)?.max(1),
            "--secs" => self.secs = number(&value)?,
            "--rate" => self.rate = number(&value)?,
            "--count" => self.count = number(&value)?,
            "--chunks" => self.chunks = number(&value)?,
            "--delay-us" => self.delay_us = number(&value)?,
            "--latency-us" => self.latency_us = number(&value)?,
            "--warm" => self.warm = number(&value)?,
            "--body-bytes" => self.body_bytes = number(&value)?,
            "--expect" => self.expect = number(&value)?,
            _ => return Err(format!("unknown option {name}")),
        }
        Ok(())
    }

    /// The whole request as it goes on the wire, head and body, and where its key stands.
    pub(crate) fn request(&self) -> (Vec<u8>, Range<usize>) {
        let body = self.body();
        let mut head = format!("POST {} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer ", self.path, self.addr);
        let key = head.len()..head.len() + self.keys[0].len();
        head += &self.keys[0];
        head += "\r\nContent-Type: application/json\r\nAccept: */*\r\nUser-Agent: OpenAI/Python 1.99.0\r\n";
        for header in &self.headers {
            head += &format!("{header}\r\n");
        }
        head += &format!("Content-Length: {}\r\n\r\n{body}", body.len());
        (head.into_bytes(), key)
    }

    /// A chat of two messages, `body_bytes` long, with the mock's words at the end of its prompt.
    fn body(&self) -> String {
        let mut words = String::new();
        if self.mode == Mode::Stream {
            words += &format!(" mock_chunks={} mock_delay_us={}", self.chunks, self.delay_us);
        }
        if self.latency_us > 0 {
            words += &format!(" mock_latency_us={}", self.latency_us);
        }
        let tail = match self.mode {
            Mode::Stream => r#","stream":true,"stream_options":{"include_usage":true}}"#,
            Mode::Closed | Mode::Rate => "}",
        };
        let with = |text: &str| {
            format!(
                r#"{{"model":"{}","messages":[{{"role":"system","content":"You are a helpful assistant."}},{{"role":"user","content":"{text}{words}"}}],"temperature":0.7,"max_tokens":256{tail}"#,
                self.model
            )
        };
        let text = "Please summarise the following report for a busy reader, and say what should be done next. ";
        let length = self.body_bytes.saturating_sub(with("").len());
        with(&text.chars().cycle().take(length).collect::<String>())
    }
}

fn number<T: FromStr>(value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("not a number: {value}"))
}

#[cfg(test)]
mod tests {
    use super::Options;

    #[test]
    fn the_key_can_be_found_in_the_request() {
        let args = ["closed", "--url", "http://127.0.0.1:1/", "--key", "tg_secret"].map(str::to_owned);
        let options = Options::parse(args.into_iter()).unwrap();
        let (request, key) = options.request();
        assert_eq!(&request[key], b"tg_secret");
        assert!(String::from_utf8(request).unwrap().contains("Content-Length: 1024\r\n\r\n{"));
    }
}
