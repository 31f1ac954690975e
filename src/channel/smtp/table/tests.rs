//! The table as a snapshot, and the rules that hold for each of its lines.

use std::fmt::Write;

use super::{Attempt, Stage, ends_connection, reaction};
use crate::core::lifecycle::outcome::Reaction;

const STAGES: [Stage; 6] = [Stage::Connect, Stage::Login, Stage::Sender, Stage::Recipient, Stage::Data, Stage::Text];

const SHARED: Attempt = Attempt { has_own_sender: false, number: 1 };
const OWN: Attempt = Attempt { has_own_sender: true, number: 1 };

/// Refusals of this machine, its login or the sender, as servers word them at `RCPT TO`.
const OF_US: [(u16, &str); 42] = [
    (550, "relay not permitted"),
    (550, "5.7.1 Unable to relay"),
    (550, "5.7.54 SMTP; Unable to relay recipient in non-accepted domain"),
    (554, "5.7.1 <…>: Relay access denied"),
    (454, "4.7.1 <…>: Relay access denied"),
    (550, "5.7.1 Relaying denied. Proper authentication required."),
    (553, "sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)"),
    (551, "User not local; please try another server"),
    (550, "Authentication required"),
    (550, "5.7.1 Client was not authenticated"),
    (503, "5.5.1 AUTH first"),
    (530, "5.7.0 Must issue a STARTTLS command first"),
    (535, "5.7.8 Bad credentials"),
    (504, "5.5.2 <vm>: Helo command rejected: need fully-qualified hostname"),
    (550, "Access denied - Invalid HELO name (See RFC2821 4.1.1.1)"),
    (450, "4.7.1 <vm>: Helo command rejected: Host not found"),
    (550, "\"JunkMail rejected - [192.0.2.1] is in an RBL\""),
    (554, "5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org"),
    (550, "5.7.606 Access denied, banned sending IP [192.0.2.1]"),
    (550, "5.7.1 Our system has detected that your IP has a very low reputation"),
    (450, "4.7.1 Client host rejected: cannot find your hostname, [192.0.2.1]"),
    (550, "5.7.25 The IP address sending this message does not have a PTR record"),
    (
        550,
        "Verification failed for <hello@example.com> Called: 192.0.2.7 Response: 550 5.1.1 User unknown Sender verify failed",
    ),
    (550, "5.1.8 <hello@example.com>: Sender address rejected: Domain not found"),
    (450, "4.1.8 <hello@example.com>: Sender address rejected: Domain not found"),
    (550, "5.1.7 <hello@example.com>: Sender address rejected: undeliverable address"),
    (550, "5.1.0 <hello@example.com>: Sender address rejected: User unknown in local recipient table"),
    (550, "5.1.8 Access denied, bad outbound sender"),
    (553, "5.7.1 <hello@example.com>: Sender address rejected: not owned by user relance"),
    (553, "sorry, your envelope sender is in my badmailfrom list (#5.7.1)"),
    (550, "5.7.60 SMTP; Client does not have permissions to send as this sender"),
    (550, "5.7.23 The message was rejected because of Sender Policy Framework violation"),
    (550, "5.7.26 This mail is unauthenticated, which poses a security risk"),
    (550, "5.7.509 Access denied, sending domain example.com does not pass DMARC verification"),
    (550, "5.7.705 Access denied, tenant has exceeded threshold"),
    (550, "Domain example.com has exceeded the max emails per hour (500/500 (100%)) allowed"),
    (550, "5.4.5 Daily user sending limit exceeded"),
    (550, "5.4.5 Daily user sending quota exceeded"),
    (550, "5.7.28 Mail flood detected"),
    (554, "Message limit reached for this account"),
    (550, "5.4.3 Routing server failure"),
    (554, "5.3.2 System not accepting network messages"),
];

/// Limits, as servers word them.
const LIMITS: [(u16, &str); 12] = [
    (454, "Throttling failure: Maximum sending rate exceeded."),
    (454, "Throttling failure: Daily message quota exceeded."),
    (454, "4.7.0 Too many login attempts, please try again later."),
    (421, "4.7.28 Our system has detected an unusual rate of mail from your domain"),
    (421, "4.7.0 [TSS04] Messages temporarily deferred due to unexpected volume or user complaints"),
    (421, "4.7.0 Too many concurrent connections"),
    (450, "4.7.1 You have exceeded the max messages per minute"),
    (451, "4.7.1 You have exceeded your hourly limit"),
    (452, "4.5.3 Too many recipients"),
    (452, "4.3.1 Rate limit exceeded"),
    (450, "4.4.2 slow down"),
    (451, "sending too fast"),
];

/// Refusals of a mailbox, as servers word them at `RCPT TO`.
const OF_MAILBOX: [(u16, &str); 22] = [
    (550, "no such user"),
    (550, "5.1.1 <…>: Recipient address rejected: User unknown in virtual mailbox table"),
    (550, "5.1.1 <…>: Recipient address rejected: User unknown in relay recipient table"),
    (550, "5.1.1 The email account that you tried to reach does not exist"),
    (550, "5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup"),
    (550, "5.4.1 Recipient address rejected: Access denied. [AS(201806281)]"),
    (550, "5.5.0 Requested action not taken: mailbox unavailable"),
    (550, "Requested action not taken: mailbox unavailable"),
    (550, "Unrouteable address"),
    (550, "5.2.1 The email account that you tried to reach is disabled"),
    (554, "delivery error: dd This user doesn't have a yahoo.com account"),
    (553, "sorry, no mailbox here by that name. (#5.1.1)"),
    (553, "5.1.3 The recipient address is not a valid address"),
    (501, "5.1.3 Bad recipient address syntax"),
    (551, "5.1.6 The mailbox has moved"),
    (556, "5.1.10 Domain does not accept mail"),
    (550, "5.4.4 Unable to route: host or domain name not found"),
    (550, "5.1.1 Adresse d au moins un destinataire invalide"),
    (550, "Destinataire inconnu"),
    (550, "This address no longer accepts mail"),
    (550, "5.7.1 Message blocked by the recipient"),
    (550, "5.7.1 RESOLVER.RST.AuthRequired; authentication required"),
];

/// Refusals that may concern this mail alone.
const OF_MAIL: [(u16, &str); 14] = [
    (550, "no"),
    (550, "5.7.1 Message rejected as spam by content filtering"),
    (554, "5.7.1 <…>: Recipient address rejected: Access denied"),
    (554, "Transaction failed"),
    (552, "5.2.2 The recipient's mailbox is full"),
    (552, "Requested mail action aborted: exceeded storage allocation"),
    (550, "user over quota"),
    (554, "5.4.6 Too many hops, loop detected"),
    (450, "4.2.0 busy"),
    (451, "4.3.0 <…>: Temporary lookup failure"),
    (452, "4.2.2 The mailbox is over quota"),
    (450, "4.2.1 The user is receiving mail at a rate that prevents additional messages"),
    (450, "4.1.1 <…>: Recipient address rejected: unverified address"),
    (421, "4.3.2 closing"),
];

const GREYLISTS: [(u16, &str); 5] = [
    (450, "4.2.0 <…>: Recipient address rejected: Greylisted, see http://postgrey.example"),
    (450, "4.7.1 <hello@example.com>: Sender address rejected: Greylisted for 300 seconds"),
    (451, "4.7.1 Greylisting in action, please come back in 00:15:00"),
    (451, "Greylisted, please try again in 60 minutes."),
    (450, "4.7.1 Client host rejected: Greylisted"),
];

fn all() -> impl Iterator<Item = (u16, &'static str)> {
    OF_US.into_iter().chain(LIMITS).chain(OF_MAILBOX).chain(OF_MAIL).chain(GREYLISTS)
}

/// Writes a reaction with its wait in seconds.
fn short(reaction: Reaction) -> String {
    let wait = |after: Option<chrono::TimeDelta>| {
        after.map_or_else(String::new, |after| format!(" {} s", after.num_seconds()))
    };
    match reaction {
        Reaction::Retry { after } => format!("Retry{}", wait(after)),
        Reaction::Throttle { after } => format!("Throttle{}", wait(after)),
        other => format!("{other:?}"),
    }
}

#[test]
fn table() {
    let mut table = String::new();
    for (code, words) in all() {
        writeln!(table, "{code} {words}").unwrap();
        let row = |stage| {
            let [shared, own] = [SHARED, OWN].map(|attempt| short(reaction(stage, code, words, attempt)));
            if shared == own { shared } else { format!("{shared}, by a sender of its own {own}") }
        };
        // Stages with one reaction share a line.
        let mut lines: Vec<(String, Vec<String>)> = Vec::new();
        for stage in STAGES {
            let (row, name) = (row(stage), format!("{stage:?}"));
            match lines.iter_mut().find(|(known, _)| *known == row) {
                Some((_, stages)) => stages.push(name),
                None => lines.push((row, vec![name])),
            }
        }
        for (row, stages) in lines {
            writeln!(table, "  {}: {row}", stages.join(" ")).unwrap();
        }
    }
    insta::assert_snapshot!(table);
}

#[test]
fn refusals_about_the_sender_exit_nobody_and_use_no_attempt() {
    for (code, words) in OF_US.into_iter().chain(LIMITS) {
        for stage in STAGES {
            for attempt in [SHARED, OWN] {
                let reaction = reaction(stage, code, words, attempt);
                let is_blameless =
                    matches!(reaction, Reaction::PauseChannel | Reaction::PauseAccount | Reaction::Throttle { .. });
                assert!(is_blameless, "{stage:?} {code} {words}: {reaction:?}");
            }
        }
    }
}

#[test]
fn people_exit_only_for_refusals_of_their_own_mailbox() {
    for stage in [Stage::Recipient, Stage::Data, Stage::Text] {
        let leaves = |(code, words)| reaction(stage, code, words, SHARED) == Reaction::Leave;
        for refusal in OF_MAILBOX {
            assert!(leaves(refusal), "{stage:?} {refusal:?}");
        }
        for refusal in OF_US.into_iter().chain(LIMITS).chain(OF_MAIL).chain(GREYLISTS) {
            assert!(!leaves(refusal), "{stage:?} {refusal:?}");
        }
    }
    for (code, words) in all() {
        for stage in [Stage::Connect, Stage::Login, Stage::Sender] {
            assert_ne!(reaction(stage, code, words, SHARED), Reaction::Leave, "{stage:?} {code} {words}");
        }
    }
}

#[test]
fn refusals_of_our_account_and_of_the_recipient_are_distinguished() {
    let at_recipient = |words| reaction(Stage::Recipient, 550, words, SHARED);
    for ours in ["Your account has been disabled", "Your account is no longer allowed to send"] {
        assert_eq!(at_recipient(ours), Reaction::PauseChannel, "{ours}");
    }
    assert_eq!(at_recipient("5.7.1 Sender blocked by recipient"), Reaction::Leave);
    for policy in
        ["5.7.1 Message rejected by recipient domain policy", "5.7.1 Message rejected by the recipient's server"]
    {
        assert_ne!(at_recipient(policy), Reaction::Leave, "{policy}");
    }
}

#[test]
fn limits_throttle_at_every_stage_and_454_faults_only_at_login() {
    for (code, words) in LIMITS {
        for stage in STAGES {
            let reaction = reaction(stage, code, words, SHARED);
            assert!(matches!(reaction, Reaction::Throttle { .. }), "{stage:?} {code} {words}: {reaction:?}");
        }
    }
    let temporary = |stage| reaction(stage, 454, "4.7.0 Temporary authentication failure", SHARED);
    assert_eq!(temporary(Stage::Login), Reaction::PauseChannel);
    for stage in STAGES.into_iter().filter(|stage| *stage != Stage::Login) {
        assert_eq!(temporary(stage), Reaction::Throttle { after: None }, "{stage:?}");
    }
}

#[test]
fn a_greylisted_message_is_retried_within_its_day() {
    let waits = |code, words| {
        let wait = |number| match reaction(Stage::Recipient, code, words, Attempt { number, ..SHARED }) {
            Reaction::Retry { after: Some(after) } => after.num_minutes(),
            other => panic!("{other:?}"),
        };
        [wait(1), wait(2)]
    };
    for (code, words) in GREYLISTS {
        let [first, second] = waits(code, words);
        assert!(first >= 5 && first + second < 4 * 60, "{words}: {first} and {second} minutes");
    }
    assert_eq!(waits(450, "4.2.0 Greylisted"), [30, 180]);
    assert_eq!(waits(450, "4.2.0 busy"), [30, 180]);
    assert_eq!(waits(451, "Greylisted, please try again in 60 minutes."), [60, 60]);
    assert_eq!(waits(451, "4.7.1 Greylisting in action, please come back in 00:15:00"), [15, 15]);
    assert_eq!(waits(450, "Greylisted for 7200s"), [120, 120]);
    // Numbers that are no waits are none.
    assert_eq!(waits(450, "4.2.0 Greylisted, see http://a.example/?id=17 (0 seconds, 99 days)"), [30, 180]);
}

#[test]
fn a_session_limit_reply_ends_the_connection() {
    for (code, words) in [
        (421, "4.7.0 maximum message count per session reached"),
        (421, "closing"),
        (452, "4.5.3 Too many messages in this session"),
        (451, "4.7.1 session limit reached"),
    ] {
        assert!(ends_connection(code, words), "{code} {words}");
    }
    for (code, words) in [(450, "4.2.0 busy"), (550, "5.1.1 no such user"), (452, "4.5.3 Too many recipients")] {
        assert!(!ends_connection(code, words), "{code} {words}");
    }
}

#[test]
fn any_reply_text_is_classified_without_a_panic() {
    let long = "greylisted ".repeat(10_000);
    for words in
        ["", " ", ".", "5.", "5.1", "5.1.1.1", "5.99999.1", "(#", "99999999999999999999 seconds", "é\u{0}🙂", &long]
    {
        for stage in STAGES {
            for code in [400, 421, 499, 500, 599] {
                drop(short(reaction(stage, code, words, SHARED)));
            }
        }
    }
}
