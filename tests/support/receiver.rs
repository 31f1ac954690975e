//! A server that is told things: it keeps every request and answers as a test wants it to.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;

/// What came in.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// Method and path: `POST /hook`.
    pub(crate) line: String,
    /// By their names in small letters.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Request {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// How the next request is answered.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Answer {
    Status(u16),
    /// 404, and the path that was asked for wherever there is room for it.
    Duplicate,
    /// With a line of headers and a body.
    Says(u16, &'static str, &'static str),
    /// Never, and the connection stays open.
    Silence,
    /// Never, and the connection ends.
    HangUp,
}

#[derive(Debug, Default)]
struct State {
    requests: Vec<Request>,
    answers: VecDeque<Answer>,
    /// Connections that nobody answers.
    open: Vec<TcpStream>,
}

/// Listens on loopback until the test process ends. Answers 200 unless told otherwise.
#[derive(Debug)]
pub(crate) struct Receiver {
    port: u16,
    state: Arc<Mutex<State>>,
}

impl Receiver {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let state = Arc::clone(&shared);
                thread::spawn(move || serve(stream.unwrap(), &state));
            }
        });
        Self { port, state }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }

    /// The next requests are answered like this.
    pub(crate) fn answer(&self, answers: &[Answer]) {
        self.state.lock().unwrap().answers.extend(answers);
    }

    /// Takes what came in since the last time.
    pub(crate) fn take(&self) -> Vec<Request> {
        std::mem::take(&mut self.state.lock().unwrap().requests)
    }
}

fn serve(stream: TcpStream, state: &Mutex<State>) {
    let mut reader = BufReader::new(stream);
    let mut headers = BTreeMap::new();
    let mut asked = String::new();
    reader.read_line(&mut asked).unwrap();
    for line in reader.by_ref().lines().map(Result::unwrap).take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').unwrap();
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let mut body = vec![0; headers.get("content-length").map_or(0, |length| length.parse().unwrap())];
    reader.read_exact(&mut body).unwrap();
    let mut stream = reader.into_inner();
    let mut state = state.lock().unwrap();
    let line = asked.rsplit_once(' ').unwrap().0.to_owned();
    state.requests.push(Request { line, headers, body: String::from_utf8(body).unwrap() });
    match state.answers.pop_front().unwrap_or(Answer::Status(200)) {
        Answer::Status(status) => {
            write!(stream, "HTTP/1.1 {status} so\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok").unwrap();
        }
        Answer::Duplicate => {
            let said = format!("Cannot {}", asked.rsplit_once(' ').unwrap().0);
            let rest = format!("content-length: {}\r\nconnection: close\r\n\r\n{said}", said.len());
            write!(stream, "HTTP/1.1 404 {said}\r\nx-said: {said}\r\n{rest}").unwrap();
        }
        Answer::Says(status, header, body) => {
            let rest = format!("content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
            write!(stream, "HTTP/1.1 {status} so\r\n{header}\r\n{rest}").unwrap();
        }
        Answer::Silence => state.open.push(stream),
        Answer::HangUp => drop(stream),
    }
}
