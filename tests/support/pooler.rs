//! A pooler between programs and the database, as `PgBouncer` is one: in transaction mode all clients share one session.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::thread;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Session,
    Transaction,
}

/// The request of a client to encrypt, in place of its first message.
const SSL: [u8; 4] = 80_877_103_u32.to_be_bytes();

/// One session of the server, and what the server said at its start.
struct Session {
    server: UnixStream,
    greeting: Vec<u8>,
}

impl Session {
    fn open(socket: &str, database: &str) -> Self {
        let mut server = UnixStream::connect(socket).unwrap();
        let mut body = 196_608_u32.to_be_bytes().to_vec();
        for word in ["user", "relance", "database", database, ""] {
            body.extend(word.as_bytes());
            body.push(0);
        }
        let length = u32::try_from(body.len() + 4).unwrap();
        server.write_all(&[&length.to_be_bytes()[..], &body].concat()).unwrap();
        let mut greeting = Vec::new();
        while let Some(message) = message(&mut server) {
            greeting.extend(&message);
            if message[0] == b'Z' {
                break;
            }
        }
        Self { server, greeting }
    }

    /// Passes the answers to one request on. Returns true while a transaction is open.
    fn answer(&mut self, client: &mut TcpStream) -> Option<bool> {
        loop {
            let message = message(&mut self.server)?;
            client.write_all(&message).ok()?;
            if message[0] == b'Z' {
                return Some(message[5] != b'I');
            }
        }
    }
}

/// Reads one message: its kind, its length and its content.
fn message(stream: &mut impl Read) -> Option<Vec<u8>> {
    let mut head = [0; 5];
    stream.read_exact(&mut head).ok()?;
    let length = u32::from_be_bytes(head[1..].try_into().unwrap());
    let mut body = vec![0; usize::try_from(length).unwrap() - 4];
    stream.read_exact(&mut body).ok()?;
    Some([&head[..], &body].concat())
}

/// Starts a pooler before the database of a URL with a socket; returns the URL through it.
pub(crate) fn pooler(url: &str, mode: Mode) -> String {
    let database = url.rsplit_once('/').unwrap().1.split('?').next().unwrap().to_owned();
    let folder = url.split("host=").nth(1).unwrap().split('&').next().unwrap().replace("%2F", "/");
    let socket = format!("{folder}/.s.PGSQL.5432");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    let through = format!("postgres://relance@{address}/{database}?sslmode=disable");
    let shared = Arc::new(Mutex::new(Session::open(&socket, &database)));
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let session = match mode {
                Mode::Transaction => Arc::clone(&shared),
                Mode::Session => Arc::new(Mutex::new(Session::open(&socket, &database))),
            };
            thread::spawn(move || serve(client, &session));
        }
    });
    through
}

fn serve(mut client: TcpStream, session: &Mutex<Session>) -> Option<()> {
    loop {
        let mut length = [0; 4];
        client.read_exact(&mut length).ok()?;
        let mut body = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap() - 4];
        client.read_exact(&mut body).ok()?;
        if body != SSL {
            break;
        }
        client.write_all(b"N").ok()?;
    }
    let greeting = session.lock().unwrap().greeting.clone();
    client.write_all(&greeting).ok()?;
    loop {
        // Nobody else gets the session before the transaction is over.
        let mut request = message(&mut client)?;
        let mut session = session.lock().unwrap();
        loop {
            if request[0] == b'X' {
                return None;
            }
            session.server.write_all(&request).ok()?;
            if matches!(request[0], b'S' | b'Q') && !session.answer(&mut client)? {
                break;
            }
            request = message(&mut client)?;
        }
    }
}
