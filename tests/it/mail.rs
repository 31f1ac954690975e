//! The `smtp` channel against a mail server: what is written, and what is said of each message.

use std::fs;
use std::net::TcpListener;
use std::sync::Arc;

use chrono::TimeDelta;
use relance::channel::{Channel, Outcome, Reaction, Smtp};
use relance::core::dispatch::OutgoingMessage;
use relance::core::manifest::desired::Channel as Spec;
use tempfile::TempDir;

use crate::gateway::{now, spec};
use crate::support::daemon::folder;
use crate::support::mail_server::{Fault, MailServer, Moment};

fn channel(port: u16, more: &str) -> Smtp {
    let settings = format!(
        "  type: smtp\n  host: 127.0.0.1\n  port: {port}\n  timeout: 2s\n  from: Relance <hello@example.com>\n{more}"
    );
    let settings = if more.contains("encryption") { settings } else { settings + "  encryption: none\n" };
    let Spec::Smtp(spec) = spec(&settings) else { panic!() };
    Smtp::new(*spec)
}

fn with_password(dir: &TempDir) -> String {
    let path = dir.path().join("password");
    fs::write(&path, "hunter2\n").unwrap();
    format!("  username: relance\n  password: {{fromFile: {}}}\n", path.display())
}

/// A message of an account without a sender of its own.
fn message(person: i64) -> OutgoingMessage {
    OutgoingMessage { policy: Arc::default(), ..crate::gateway::message(person) }
}

async fn one(channel: &Smtp, message: OutgoingMessage) -> Outcome {
    let [outcome] = &channel.hand_over(&[message], now()).await[..] else { panic!() };
    outcome.clone()
}

fn reaction(outcome: Outcome) -> Reaction {
    match outcome {
        Outcome::Refused(refusal) => refusal.reaction,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_mail_carries_its_sender_and_unsubscribe_headers() {
    let (server, dir) = (MailServer::start(), folder());
    let channel = channel(
        server.port,
        &format!(
            "{}  replyTo: answers@example.com
  bounceAddress: bounces@example.com
  unsubscribeUrl: 'https://example.com/stop?m={{{{ messageId }}}}&e={{{{ email }}}}'
  unsubscribeMailto: stop@example.com
",
            with_password(&dir)
        ),
    );
    let outcome = one(&channel, message(1)).await;
    assert_eq!(outcome, Outcome::accepted("relance.3.1.1.2@example.com".to_owned()));
    let [mail] = &server.take()[..] else { panic!() };
    assert_eq!((mail.from.as_str(), mail.to.as_str()), ("bounces@example.com", "person-1@example.org"));
    insta::assert_snapshot!(mail.text);
    assert!(server.commands().iter().any(|command| command.starts_with("AUTH PLAIN ")));
}

#[tokio::test]
async fn the_account_sender_wins_over_the_channel_sender() {
    let server = MailServer::start();
    let mut own = message(1);
    own.policy = crate::gateway::message(1).policy;
    Arc::make_mut(&mut own.policy).sender = Some("Aminata <aminata@example.net>".to_owned());
    let outcome = one(&channel(server.port, ""), own.clone()).await;
    assert_eq!(outcome, Outcome::accepted("relance.3.1.1.2@example.net".to_owned()));
    let [mail] = &server.take()[..] else { panic!() };
    assert_eq!(mail.from, "aminata@example.net");
    assert!(mail.text.contains("From: Aminata <aminata@example.net>"), "{}", mail.text);
    // What is refused of it is the account's business, and nobody leaves for it.
    server.fail(Moment::Sender, Fault::Says("550 5.7.1 not yours"));
    assert_eq!(reaction(one(&channel(server.port, ""), own).await), Reaction::PauseAccount);
    server.fail(Moment::Sender, Fault::Says("550 5.7.1 not yours"));
    assert_eq!(reaction(one(&channel(server.port, ""), message(1)).await), Reaction::PauseChannel);
}

#[tokio::test]
async fn a_lost_connection_is_unknown_only_after_the_text_was_sent() {
    let (server, dir) = (MailServer::start(), folder());
    let password = with_password(&dir);
    for moment in [Moment::Greeting, Moment::Auth, Moment::Sender, Moment::Recipient, Moment::Data] {
        for fault in [Fault::HangUp, Fault::Silence] {
            server.fail(moment, fault);
            let outcome = one(&channel(server.port, &password), message(1)).await;
            assert_eq!(reaction(outcome), Reaction::Retry { after: None }, "{moment:?} {fault:?}");
            assert_eq!(server.take(), []);
        }
    }
    for (fault, arrived) in [(Fault::HangUp, 1), (Fault::Silence, 1), (Fault::HangUpInText, 0)] {
        server.fail(Moment::Text, fault);
        let outcome = one(&channel(server.port, &password), message(1)).await;
        assert!(matches!(outcome, Outcome::Unknown { .. }), "{fault:?}: {outcome:?}");
        assert_eq!(server.take().len(), arrived);
    }
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    assert_eq!(reaction(one(&channel(gone, ""), message(1)).await), Reaction::Retry { after: None });
}

#[tokio::test]
async fn a_mail_refusal_maps_to_a_reaction_by_stage_code_and_text() {
    let (server, dir) = (MailServer::start(), folder());
    let password = with_password(&dir);
    let retry = Reaction::Retry { after: Some(TimeDelta::minutes(30)) };
    let slow = Reaction::Throttle { after: None };
    for (moment, says, wanted) in [
        (Moment::Greeting, "421 4.3.2 later", slow),
        (Moment::Greeting, "554 5.3.2 no service", Reaction::PauseChannel),
        (Moment::Auth, "535 5.7.8 wrong", Reaction::PauseChannel),
        (Moment::Auth, "454 4.7.0 Temporary authentication failure", Reaction::PauseChannel),
        (Moment::Auth, "454 4.7.0 Too many login attempts", slow),
        (Moment::Sender, "451 4.3.0 later", slow),
        (Moment::Recipient, "450 4.2.1 later", retry),
        (Moment::Recipient, "550 5.1.1 <person-1@example.org>: nobody", Reaction::Leave),
        (Moment::Recipient, "550 5.7.1 relaying denied", Reaction::PauseChannel),
        (
            Moment::Recipient,
            "550-Verification failed for <hello@example.com>\r\n550 Sender verify failed",
            Reaction::PauseChannel,
        ),
        (
            Moment::Recipient,
            "504 5.5.2 <vm>: Helo command rejected: need fully-qualified hostname",
            Reaction::PauseChannel,
        ),
        (Moment::Data, "451 4.3.0 aborted", retry),
        (Moment::Text, "452 4.3.1 full", retry),
        (
            Moment::Text,
            "454 Throttling failure: Daily message quota exceeded.",
            Reaction::Throttle { after: Some(TimeDelta::hours(1)) },
        ),
        (Moment::Text, "554 5.7.1 spam", Reaction::FailDay),
        (Moment::Text, "550 5.1.1 nobody after all", Reaction::Leave),
    ] {
        server.fail(moment, Fault::Says(says));
        let Outcome::Refused(refusal) = one(&channel(server.port, &password), message(1)).await else { panic!() };
        assert_eq!(refusal.reaction, wanted, "{says}");
        assert!(!refusal.error.contains("person-1@") && refusal.error.starts_with(&says[..3]), "{}", refusal.error);
        assert_eq!(server.take(), []);
    }
}

#[tokio::test]
async fn a_refusal_that_concerns_everyone_ends_the_batch() {
    let (server, dir) = (MailServer::start(), folder());
    let channel = channel(server.port, &format!("  concurrency: 1\n{}", with_password(&dir)));
    let messages: Vec<OutgoingMessage> = (1..=20).map(message).collect();
    for (moment, says, wanted) in [
        (Moment::Auth, "535 5.7.8 wrong", Reaction::PauseChannel),
        (Moment::Recipient, "550 relay not permitted", Reaction::PauseChannel),
        (
            Moment::Text,
            "454 Throttling failure: Maximum sending rate exceeded.",
            Reaction::Throttle { after: Some(TimeDelta::seconds(2)) },
        ),
    ] {
        let before = server.connections();
        server.fail(moment, Fault::Says(says));
        for outcome in channel.hand_over(&messages, now()).await {
            assert_eq!(reaction(outcome), wanted, "{says}");
        }
        assert_eq!((server.take().len(), server.connections() - before), (0, 1), "{says}");
    }
    // One person's refusal is nobody else's.
    server.fail(Moment::Recipient, Fault::Says("550 5.1.1 no such user"));
    let outcomes = channel.hand_over(&messages, now()).await;
    let sent = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Accepted { .. })).count();
    assert_eq!((sent, server.take().len()), (19, 19));
}

#[tokio::test]
async fn a_connection_closed_by_the_server_is_replaced_without_using_an_attempt() {
    let server = MailServer::start();
    server.end_after(1);
    let channel = channel(server.port, "  concurrency: 1\n");
    let messages: Vec<OutgoingMessage> = (1..=5).map(message).collect();
    let outcomes = channel.hand_over(&messages, now()).await;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Accepted { .. })), "{outcomes:?}");
    assert_eq!((server.take().len(), server.connections()), (5, 5));
    // A kept connection that ends without a word, or with the text refused, is replaced as well.
    for (moment, fault) in [
        (Moment::Sender, Fault::HangUp),
        (Moment::Recipient, Fault::HangUp),
        (Moment::Text, Fault::Says("421 4.3.2 closing")),
        (Moment::Sender, Fault::Says("452 4.5.3 Too many messages in this session")),
    ] {
        server.end_after(100);
        assert!(matches!(one(&channel, message(6)).await, Outcome::Accepted { .. }));
        server.fail(moment, fault);
        assert!(matches!(one(&channel, message(7)).await, Outcome::Accepted { .. }), "{moment:?} {fault:?}");
        assert_eq!(server.take().len(), 2);
    }
}

#[tokio::test]
async fn a_non_ascii_domain_is_sent_as_punycode() {
    let server = MailServer::start();
    let channel = channel(
        server.port,
        "  replyTo: Antworten <antwort@bücher.example>
  bounceAddress: zurück@bücher.example
  unsubscribeMailto: stop@bücher.example
",
    );
    let to = |email: &str| OutgoingMessage { email: Some(email.to_owned()), ..message(1) };
    // The bounce address needs a server that takes letters before the `@`, and this one does not.
    assert_eq!(reaction(one(&channel, to("a@example.org")).await), Reaction::PauseChannel);
    let channel = self::channel(
        server.port,
        "  replyTo: Antworten <antwort@bücher.example>\n  unsubscribeMailto: stop@bücher.example\n",
    );
    for (email, wanted) in [
        ("a@bücher.example", "a@xn--bcher-kva.example"),
        ("a@BÜCHER.example", "a@xn--bcher-kva.example"),
        ("a@почта.рф", "a@xn--80a1acny.xn--p1ai"),
        ("a@xn--bcher-kva.example", "a@xn--bcher-kva.example"),
    ] {
        assert!(matches!(one(&channel, to(email)).await, Outcome::Accepted { .. }), "{email}");
        let [mail] = &server.take()[..] else { panic!() };
        assert_eq!(mail.to, wanted);
        assert!(mail.text.is_ascii() && mail.text.contains("Reply-To: Antworten <antwort@xn--bcher-kva.example>"));
        assert!(mail.text.contains("<mailto:stop@xn--bcher-kva.example?subject=unsubscribe>"), "{}", mail.text);
    }
    // Letters before the `@` have no other form. Only that person leaves.
    assert_eq!(reaction(one(&channel, to("hélène@example.org")).await), Reaction::Leave);
    let mut own = message(1);
    own.policy = crate::gateway::message(1).policy;
    Arc::make_mut(&mut own.policy).sender = Some("Aminata <aminata@bücher.example>".to_owned());
    let sent = Outcome::accepted("relance.3.1.1.2@xn--bcher-kva.example");
    assert_eq!(one(&channel, own).await, sent);
    let [mail] = &server.take()[..] else { panic!() };
    assert_eq!(mail.from, "aminata@xn--bcher-kva.example");
    assert!(mail.text.contains("From: Aminata <aminata@xn--bcher-kva.example>"), "{}", mail.text);
}

#[tokio::test]
async fn the_client_greets_with_a_full_host_name() {
    let server = MailServer::start();
    for (key, wanted) in [
        ("  heloName: mail.example.com\n", Some("EHLO mail.example.com")),
        ("  heloName: '[192.0.2.1]'\n", Some("EHLO [192.0.2.1]")),
        ("  heloName: '[IPv6:2001:db8::1]'\n", Some("EHLO [IPv6:2001:db8::1]")),
        ("", None),
    ] {
        assert!(matches!(one(&channel(server.port, key), message(1)).await, Outcome::Accepted { .. }));
        let said = server.commands().into_iter().find(|command| command.starts_with("EHLO")).unwrap();
        // The name of this machine has a dot, or its address is said.
        assert_eq!(wanted.unwrap_or(&said), said);
        assert!(said.contains('.') || said.contains("IPv6:"), "{said}");
    }
}

#[tokio::test]
async fn nothing_is_sent_in_clear_text_when_encryption_is_required() {
    let (server, dir) = (MailServer::start(), folder());
    let starttls = channel(server.port, &format!("  encryption: starttls\n{}", with_password(&dir)));
    assert_eq!(reaction(one(&starttls, message(1)).await), Reaction::PauseChannel);
    let said = server.commands();
    assert!(said.iter().all(|command| command.starts_with("EHLO")), "{said:?}");
}

#[tokio::test]
async fn one_connection_carries_many_messages() {
    let server = MailServer::start();
    let channel = channel(server.port, "  concurrency: 1\n");
    let messages: Vec<OutgoingMessage> = (1..=5).map(message).collect();
    let outcomes = channel.hand_over(&messages, now()).await;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Accepted { .. })), "{outcomes:?}");
    one(&channel, message(6)).await;
    assert_eq!((server.take().len(), server.connections()), (6, 1));
    // One that was closed in the meantime costs nothing but a new one.
    server.fail(Moment::Text, Fault::Says("421 4.3.2 closing"));
    assert!(matches!(one(&channel, message(7)).await, Outcome::Accepted { .. }));
    assert!(matches!(one(&channel, message(8)).await, Outcome::Accepted { .. }));
    assert_eq!((server.take().len(), server.connections()), (2, 2));
}

#[tokio::test]
async fn an_unmailable_message_is_refused_without_a_connection() {
    let server = MailServer::start();
    let channel = channel(server.port, "");
    for email in [None, Some(" "), Some("nobody"), Some("a@b.example\r\nRCPT TO:<c@d.example>")] {
        let person = OutgoingMessage { email: email.map(str::to_owned), ..message(1) };
        assert_eq!(reaction(one(&channel, person).await), Reaction::NoAddress, "{email:?}");
    }
    let mut silent = message(1);
    silent.content.subject = None;
    assert_eq!(reaction(one(&channel, silent).await), Reaction::PauseRun);
    assert_eq!(server.connections(), 0);
}
