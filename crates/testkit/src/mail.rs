//! A mail server on loopback that keeps what it is given, as much of SMTP as one client speaks.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// A mail as it came.
#[derive(Clone, Debug, Default)]
pub struct Delivered {
    /// Whom the envelope names.
    pub to: Vec<String>,
    /// Head and text, with lines that end in `\n`.
    pub text: String,
}

/// The server. It ends with this.
pub struct MailServer {
    /// Where it listens.
    pub addr: SocketAddr,
    mails: Arc<Mutex<Vec<Delivered>>>,
    task: JoinHandle<()>,
}

impl MailServer {
    /// Listens on a free port, and turns the first `refusals` mails away for now.
    pub async fn start(refusals: usize) -> Self {
        Self::serve(Manner { refusals: AtomicUsize::new(refusals), busy: None }).await
    }

    /// The same, which turns away whatever is for this address, for now and for ever.
    pub async fn too_busy_for(address: &str) -> Self {
        Self::serve(Manner { refusals: AtomicUsize::new(0), busy: Some(address.into()) }).await
    }

    async fn serve(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let addr = listener.local_addr().expect("its address");
        let mails: Arc<Mutex<Vec<Delivered>>> = Arc::default();
        let kept = Arc::clone(&mails);
        #[expect(clippy::disallowed_methods, reason = "a test's server ends with the test")]
        let task = tokio::spawn(async move {
            let mut sessions = JoinSet::new();
            let manner = Arc::new(manner);
            while let Ok((stream, _)) = listener.accept().await {
                let (kept, manner) = (Arc::clone(&kept), Arc::clone(&manner));
                sessions.spawn(async move { session(stream, &kept, &manner).await });
            }
        });
        Self { addr, mails, task }
    }

    /// What has come.
    pub fn mails(&self) -> Vec<Delivered> {
        self.mails.lock().expect("no test broke").clone()
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What is turned away for now.
#[derive(Debug)]
struct Manner {
    /// So many mails more.
    refusals: AtomicUsize,
    /// Those for this address.
    busy: Option<String>,
}

async fn session(stream: TcpStream, mails: &Mutex<Vec<Delivered>>, manner: &Manner) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 mail.test ESMTP\r\n").await?;
    let (mut mail, mut line) = (Delivered::default(), String::new());
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let answer: &[u8] = match line.get(..4).unwrap_or_default().to_ascii_uppercase().as_str() {
            "EHLO" => b"250-mail.test\r\n250 8BITMIME\r\n",
            "MAIL" if manner.refusals.try_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok() => b"451 later\r\n",
            "RCPT" if manner.busy.as_ref().is_some_and(|busy| line.contains(busy.as_str())) => b"451 later\r\n",
            "RCPT" => {
                mail.to.push(line.trim().trim_start_matches("RCPT TO:").trim_matches(['<', '>']).to_owned());
                b"250 ok\r\n"
            }
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await?;
                mail.text = text(&mut stream).await?;
                mails.lock().expect("no test broke").push(std::mem::take(&mut mail));
                b"250 ok\r\n"
            }
            "QUIT" => {
                stream.write_all(b"221 bye\r\n").await?;
                return Ok(());
            }
            _others => b"250 ok\r\n",
        };
        stream.write_all(answer).await?;
    }
}

async fn text(stream: &mut BufReader<TcpStream>) -> std::io::Result<String> {
    let (mut text, mut line) = (String::new(), String::new());
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 || line.trim_end() == "." {
            return Ok(text);
        }
        text.push_str(line.trim_end_matches(['\r', '\n']));
        text.push('\n');
    }
}
