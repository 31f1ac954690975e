//! A mail server on loopback: it takes mail, and fails in the way and at the moment that a test asks for.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// Before which of its replies it misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    Greeting,
    Auth,
    Sender,
    Recipient,
    Data,
    /// All of the text is there, with the dot at its end.
    Text,
}

/// How it misbehaves.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// It says this.
    Says(&'static str),
    /// It says nothing and ends the connection.
    HangUp,
    /// It says nothing.
    Silence,
    /// It ends the connection in the middle of the text, before the dot.
    HangUpInText,
}

/// A mail that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mail {
    pub(crate) from: String,
    pub(crate) to: String,
    /// As it came, dots undone.
    pub(crate) text: String,
}

#[derive(Debug, Default)]
struct State {
    /// After so many mails, a connection ends with 421 at the next `MAIL`.
    most_mails: Option<usize>,
    mails: Vec<Mail>,
    commands: Vec<String>,
    connections: usize,
    faults: VecDeque<(Moment, Fault)>,
    /// Connections that nobody answers.
    open: Vec<TcpStream>,
}

/// Listens until the test process ends.
#[derive(Debug)]
pub(crate) struct MailServer {
    pub(crate) port: u16,
    state: Arc<Mutex<State>>,
}

impl MailServer {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let state = Arc::clone(&shared);
                state.lock().unwrap().connections += 1;
                // Who hangs up in the middle of a sentence is the test's business.
                thread::spawn(move || drop(Conversation { state: &state, stream: stream.unwrap() }.hold()));
            }
        });
        Self { port, state }
    }

    /// The next time this moment comes.
    pub(crate) fn fail(&self, moment: Moment, fault: Fault) {
        self.state.lock().unwrap().faults.push_back((moment, fault));
    }

    /// Takes so many mails by one connection and ends it with 421 at the next.
    pub(crate) fn end_after(&self, mails: usize) {
        self.state.lock().unwrap().most_mails = Some(mails);
    }

    pub(crate) fn take(&self) -> Vec<Mail> {
        std::mem::take(&mut self.state.lock().unwrap().mails)
    }

    /// What was said to it, without the texts.
    pub(crate) fn commands(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().commands)
    }

    pub(crate) fn connections(&self) -> usize {
        self.state.lock().unwrap().connections
    }
}

/// It is over.
struct Over;

struct Conversation<'a> {
    state: &'a Mutex<State>,
    stream: TcpStream,
}

impl Conversation<'_> {
    fn hold(mut self) -> Result<(), Over> {
        let mut reader = BufReader::new(self.stream.try_clone().unwrap());
        self.reply(Moment::Greeting, "220 here")?;
        let (mut from, mut to) = (String::new(), String::new());
        let mut taken = 0;
        loop {
            let line = line(&mut reader)?;
            self.state.lock().unwrap().commands.push(line.clone());
            let verb = line.get(..4).unwrap_or_default();
            match verb {
                "EHLO" => self.say("250-here\r\n250-8BITMIME\r\n250 AUTH PLAIN LOGIN")?,
                "AUTH" => self.reply(Moment::Auth, "235 2.7.0 welcome")?,
                "MAIL" if self.state.lock().unwrap().most_mails.is_some_and(|most| taken >= most) => {
                    self.say("421 4.7.0 maximum message count per session reached")?;
                    return Err(Over);
                }
                "MAIL" => {
                    from = address(&line);
                    self.reply(Moment::Sender, "250 2.1.0 ok")?;
                }
                "RCPT" => {
                    to = address(&line);
                    self.reply(Moment::Recipient, "250 2.1.5 ok")?;
                }
                "DATA" => {
                    self.reply(Moment::Data, "354 go ahead")?;
                    let Some(text) = self.text(&mut reader)? else { continue };
                    let refused = self.fault(Moment::Text);
                    if refused.is_none() || matches!(refused, Some(Fault::HangUp | Fault::Silence)) {
                        // It is the server's from now on, whatever comes back.
                        self.state.lock().unwrap().mails.push(Mail { from: from.clone(), to: to.clone(), text });
                    }
                    taken += 1;
                    self.act(refused, "250 2.0.0 queued")?;
                }
                "QUIT" => {
                    self.say("221 bye")?;
                    return Err(Over);
                }
                _ => self.say("250 ok")?,
            }
        }
    }

    /// Reads up to the dot; `None` when the text was refused before.
    fn text(&mut self, reader: &mut impl BufRead) -> Result<Option<String>, Over> {
        let hang_up = {
            let mut state = self.state.lock().unwrap();
            let wanted = matches!(state.faults.front(), Some((Moment::Text, Fault::HangUpInText)));
            if wanted {
                state.faults.pop_front();
            }
            wanted
        };
        let mut text = String::new();
        loop {
            let line = line(reader)?;
            if hang_up {
                return Err(Over);
            }
            if line == "." {
                return Ok(Some(text));
            }
            text += line.strip_prefix('.').unwrap_or(&line);
            text += "\n";
        }
    }

    fn reply(&mut self, moment: Moment, usual: &str) -> Result<(), Over> {
        let fault = self.fault(moment);
        self.act(fault, usual)
    }

    fn fault(&self, moment: Moment) -> Option<Fault> {
        let mut state = self.state.lock().unwrap();
        let is_now = state.faults.front().is_some_and(|(at, _)| *at == moment);
        if is_now { state.faults.pop_front().map(|(_, fault)| fault) } else { None }
    }

    fn act(&mut self, fault: Option<Fault>, usual: &str) -> Result<(), Over> {
        match fault {
            None => self.say(usual),
            Some(Fault::Says(text)) => {
                self.say(text)?;
                // A refusal of `DATA` is followed by no text.
                Ok(())
            }
            Some(Fault::HangUp | Fault::HangUpInText) => Err(Over),
            Some(Fault::Silence) => {
                self.state.lock().unwrap().open.push(self.stream.try_clone().unwrap());
                Err(Over)
            }
        }
    }

    fn say(&mut self, text: &str) -> Result<(), Over> {
        write!(self.stream, "{text}\r\n").map_err(|_| Over)
    }
}

fn line(reader: &mut impl BufRead) -> Result<String, Over> {
    let mut line = String::new();
    match reader.read_line(&mut line) {
        Ok(0) | Err(_) => Err(Over),
        Ok(_) => Ok(line.trim_end_matches(['\r', '\n']).to_owned()),
    }
}

/// What stands between `<` and `>`.
fn address(line: &str) -> String {
    line.split(['<', '>']).nth(1).unwrap_or_default().to_owned()
}
