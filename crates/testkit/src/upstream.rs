//! A server on a loopback port that does with each request what its script says, and records what it received.
//! It knows nothing of OpenAI; see `openai` for scripts that do.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::openai::Reply;
use crate::script::{Script, Step};
use crate::wire::{Framing, Headers, Reader};

/// One request as it arrived.
#[derive(Clone, Debug)]
pub struct Received {
    /// `POST` and so on.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Header lines in order.
    pub headers: Headers,
    /// The whole body.
    pub body: Bytes,
}

impl Received {
    /// The body as JSON; `Null` if it isn't.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }
}

type Respond = dyn Fn(&Received) -> Script + Send + Sync;
type RespondOnce = dyn FnOnce(&Received) -> Script + Send;

struct State {
    queue: VecDeque<Box<RespondOnce>>,
    otherwise: Arc<Respond>,
    received: Vec<Received>,
    keeps_nothing: bool,
}

struct Shared {
    state: Mutex<State>,
    arrivals: watch::Sender<usize>,
    abandoned: watch::Sender<usize>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, request: Received) -> Script {
        let mut state = self.state();
        let queued = state.queue.pop_front();
        let otherwise = Arc::clone(&state.otherwise);
        let script = queued.map_or_else(|| otherwise(&request), |respond| respond(&request));
        if !state.keeps_nothing {
            state.received.push(request);
        }
        let count = state.received.len();
        drop(state);
        self.arrivals.send_replace(count);
        script
    }
}

/// A scripted provider. It stops when dropped.
pub struct Upstream {
    addr: SocketAddr,
    shared: Arc<Shared>,
    tasks: JoinSet<()>,
}

impl Upstream {
    /// A server on a free loopback port that answers every request as [`Reply::default`] does.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port");
        let addr = listener.local_addr().expect("a bound listener has an address");
        let otherwise: Arc<Respond> = Arc::new(|request: &Received| Reply::default().script(request));
        let shared = Arc::new(Shared {
            state: Mutex::new(State { queue: VecDeque::new(), otherwise, received: Vec::new(), keeps_nothing: false }),
            arrivals: watch::Sender::new(0),
            abandoned: watch::Sender::new(0),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, Arc::clone(&shared)));
        Self { addr, shared, tasks }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What a provider's `base_url` is set to.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.addr)
    }

    /// Queues a script for one of the next requests: first queued, first used.
    pub fn push(&self, script: Script) {
        self.shared.state().queue.push_back(Box::new(|_| script));
    }

    /// Queues a reply, which takes the shape that its request asks for.
    pub fn reply(&self, reply: Reply) {
        self.shared.state().queue.push_back(Box::new(move |request| reply.script(request)));
    }

    /// Forgets what is queued.
    pub fn clear(&self) {
        self.shared.state().queue.clear();
    }

    /// What is done with a request for which no script is queued.
    pub fn otherwise(&self, respond: impl Fn(&Received) -> Script + Send + Sync + 'static) {
        self.shared.state().otherwise = Arc::new(respond);
    }

    /// Everything received so far.
    pub fn received(&self) -> Vec<Received> {
        self.shared.state().received.clone()
    }

    /// Keeps nothing of what it receives from now on, for a test that lasts long. Requests can no longer be counted.
    pub fn keep_nothing(&self) {
        self.shared.state().keeps_nothing = true;
    }

    /// How many requests were received so far.
    pub fn count(&self) -> usize {
        self.shared.state().received.len()
    }

    /// Waits until `n` requests were received in all.
    pub async fn arrived(&self, n: usize) {
        at_least(&self.shared.arrivals, n, "requests arrived").await;
    }

    /// Waits until on `n` requests in all the peer left before the script's end.
    pub async fn abandoned(&self, n: usize) {
        at_least(&self.shared.abandoned, n, "requests were abandoned by the peer").await;
    }

    /// How many requests the peer has left before the script's end.
    pub fn abandoned_count(&self) -> usize {
        *self.shared.abandoned.borrow()
    }

    /// Stops: open connections are dropped, new ones refused.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
    }
}

async fn at_least(counter: &watch::Sender<usize>, n: usize, what: &str) {
    let mut seen = counter.subscribe();
    match tokio::time::timeout(crate::WAIT, seen.wait_for(|count| *count >= n)).await {
        Ok(reached) => drop(reached.expect("the upstream is alive")),
        Err(_) => panic!("{} {what}, {n} were expected", *counter.borrow()),
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((socket, _)) = listener.accept() => {
                let shared = Arc::clone(&shared);
                connections.spawn(async move {
                    // A peer that leaves ends the connection, not the test.
                    drop(serve(socket, &shared).await);
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(socket: TcpStream, shared: &Shared) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let (read, mut write) = socket.into_split();
    let mut reader = Reader::new(read);
    while let Some(head) = reader.head().await? {
        let mut words = head.first.split(' ').map(str::to_owned);
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let body = reader.body(Framing::of_request(&head.headers)).await?;
        let script = shared.take(Received { method, path, headers: head.headers, body });
        match play(&script, &mut reader, &mut write).await {
            Ok(Next::Request) => {}
            Ok(Next::Close) => return Ok(()),
            Ok(Next::Reset) => {
                write.as_ref().set_zero_linger()?;
                return Ok(());
            }
            Err(left) => {
                shared.abandoned.send_modify(|n| *n += 1);
                return Err(left);
            }
        }
    }
    Ok(())
}

enum Next {
    Request,
    Close,
    Reset,
}

async fn play(script: &Script, reader: &mut Reader<tokio::net::tcp::OwnedReadHalf>, write: &mut OwnedWriteHalf) -> io::Result<Next> {
    for step in &script.steps {
        match step {
            Step::Write(bytes) => write.write_all(bytes).await?,
            Step::Gate(gate) => tokio::select! {
                () = gate.pass() => {}
                left = leaves(reader) => return Err(left),
            },
            Step::Hang => return Err(leaves(reader).await),
            Step::Reset => return Ok(Next::Reset),
            Step::Close => return Ok(Next::Close),
        }
    }
    Ok(Next::Request)
}

/// Returns when the peer closes or resets.
async fn leaves(reader: &mut Reader<tokio::net::tcp::OwnedReadHalf>) -> io::Error {
    loop {
        match reader.fill().await {
            Ok(0) => return io::ErrorKind::UnexpectedEof.into(),
            Ok(_) => {}
            Err(error) => return error,
        }
    }
}
