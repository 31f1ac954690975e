//! Phrases in the refusals of mail servers, by subject.
//!
//! A phrase is in lower case, has no punctuation and starts at a word boundary. A space at its end ends the last word.

use chrono::TimeDelta;

/// A text in a form that phrases can be found in.
#[derive(Debug)]
pub(super) struct Words {
    /// In lower case, with one space before each word and after the last.
    text: String,
    raw: String,
    /// The subject and the detail of the enhanced code: `(1, 1)` for `5.1.1`.
    pub(super) enhanced: Option<(u16, u16)>,
}

/// The server takes no first mail of a stranger.
pub(super) const GREYLIST: &[&str] = &["greylist", "graylist", "grey list", "gray list", "postgrey"];

/// The connection took enough mails.
pub(super) const CONNECTION: &[&str] = &[
    "per session",
    "per connection",
    "in this session",
    "in this connection",
    "on this connection",
    "session limit",
    "session has",
];

/// The address or the domain of the sender.
pub(super) const SENDER: &[&str] = &[
    "sender verif",
    "sender callout",
    "sender address",
    "sender domain",
    "sender rejected",
    "sender denied",
    "sender refused",
    "sender blocked",
    "sender is blocked",
    "sender blacklisted",
    "sender not ",
    "sender is not",
    "sender policy",
    "sender id ",
    "invalid sender",
    "unknown sender",
    "bad sender",
    "envelope sender",
    "envelope from",
    "outbound sender",
    "sending domain",
    "verification failed for",
    "return path",
    "from address",
    "from header",
    "send as ",
    "not owned by user",
    "unauthenticated",
    "spf ",
    "dkim ",
    "dmarc ",
];

/// This machine, its name, its address, its login or its right to send.
pub(super) const MACHINE: &[&str] = &[
    // Its name.
    "helo ",
    "ehlo ",
    "helo ehlo",
    // Relaying.
    "relaying",
    "relay not ",
    "relay access",
    "relay denied",
    "relay prohibited",
    "relay is ",
    "no relay",
    "not relay",
    "cannot relay",
    "unable to relay",
    "to relay ",
    "rcpthosts",
    "not local",
    // Login.
    "authentication required",
    "authentication is required",
    "authentication needed",
    "authentication failed",
    "requires authentication",
    "must authenticate",
    "please authenticate",
    "authenticate first",
    "authenticate before",
    "not authenticated",
    "must be authenticated",
    "auth required",
    "smtp auth",
    "login required",
    "not logged in",
    "please log in",
    "must log in",
    "must issue a starttls",
    "account suspended for sending",
    // Lists of blocked machines.
    "rbl ",
    "dnsbl",
    "blocklist",
    "block list",
    "blacklist",
    "black list",
    "blocked using",
    "spamhaus",
    "spamcop",
    "barracuda",
    "sorbs",
    "is listed",
    "listed at",
    "listed in",
    "listed on",
    "reputation",
    "banned",
    "client host",
    "your host",
    "your ip ",
    "your server",
    "your network",
    "ip address",
    "reverse dns",
    "rdns",
    "ptr record",
    "no ptr",
];

/// The number of mails, as a rate or a quota of the sender.
pub(super) const LIMIT: &[&str] = &[
    "throttl",
    "rate limit",
    "ratelimit",
    "rate exceeded",
    "sending rate",
    "sending limit",
    "sending quota",
    "send limit",
    "send quota",
    "message limit",
    "messages limit",
    "message quota",
    "limit exceeded",
    "limit reached",
    "quota exceeded",
    "quota reached",
    "exceeded your",
    "exceeded its",
    "exceeded the max",
    "exceeded max",
    "max emails",
    "max messages",
    "max defers",
    "per second",
    "per minute",
    "per hour",
    "per day",
    "hourly",
    "daily",
    "too many",
    "too fast",
    "too quickly",
    "too frequent",
    "slow down",
    "mail flood",
    "unusual rate",
    "unexpected volume",
    "high volume",
    "volume of mail",
    "volume of email",
];

/// The mailbox is full, or the mail is in a forwarding loop. Quotas of the sender are in [`LIMIT`].
pub(super) const OF_MAIL: &[&str] = &[
    "loop",
    "too many hops",
    "hop count",
    "mailbox full",
    "mailbox is full",
    "mailbox quota",
    "mailbox over quota",
    "mailbox has exceeded",
    "mailbox size",
    "inbox is full",
    "inbox full",
    "over quota",
    "storage allocation",
    "user quota exceeded",
    "recipient quota",
    "disk quota",
    "boite pleine",
    "boîte pleine",
];

/// The server of the recipient refuses, by its own policy about the sender.
pub(super) const BY_SERVER: &[&str] = &[
    "by recipient domain",
    "by recipient server",
    "by recipient mail",
    "by recipient system",
    "by recipient policy",
    "by recipient s ",
    "by the recipient domain",
    "by the recipient server",
    "by the recipient mail",
    "by the recipient system",
    "by the recipient s ",
];

/// The person refuses the sender.
pub(super) const OF_PERSON: &[&str] = &["by recipient", "by the recipient", "recipient has blocked"];

/// The recipient wants nothing, or nothing from strangers.
pub(super) const BY_RECIPIENT: &[&str] = &[
    "by recipient",
    "by the recipient",
    "by user",
    "by the user",
    "recipient has blocked",
    "user has blocked",
    "recipient does not accept",
    "recipient does not want",
    "not wish to receive",
    "resolver rst",
];

/// Our own account or domain.
pub(super) const OURS: &[&str] = &["your account", "your domain", "your mailbox", "you are no longer"];

/// The mailbox of the recipient does not exist or is disabled.
pub(super) const MAILBOX: &[&str] = &[
    "user unknown",
    "unknown user",
    "no such user",
    "user not found",
    "user does not",
    "user doesn",
    "user is unknown",
    "user disabled",
    "invalid user",
    "no such recipient",
    "recipient unknown",
    "unknown recipient",
    "invalid recipient",
    "bad recipient",
    "recipient not found",
    "recipient rejected",
    "recipient address rejected",
    "recipient does not exist",
    "recipient is unknown",
    "no mailbox",
    "no such mailbox",
    "unknown mailbox",
    "invalid mailbox",
    "mailbox unknown",
    "mailbox unavailable",
    "mailbox not ",
    "mailbox is not",
    "mailbox is disabled",
    "mailbox is inactive",
    "mailbox disabled",
    "mailbox inactive",
    "mailbox does not",
    "mailbox doesn",
    "not a valid mailbox",
    "no such account",
    "account disabled",
    "account is disabled",
    "account has been disabled",
    "account inactive",
    "account is inactive",
    "account does not exist",
    "account that you tried to reach",
    "no such address",
    "no such person",
    "address unknown",
    "unknown address",
    "address does not exist",
    "address not found",
    "unrouteable address",
    "unroutable address",
    "unknown local part",
    "does not exist",
    "doesn t exist",
    "no longer",
    "domain not found",
    "host not found",
    "host or domain name not found",
    "null mx",
    "no mx",
    "destinataire inconnu",
    "adresse inconnue",
    "n existe pas",
    "unbekannter empf",
    "empfänger unbekannt",
    "usuario desconocido",
    "no existe",
    "usuário desconhecido",
    "não existe",
];

impl Words {
    pub(super) fn of(text: &str) -> Self {
        let lower = text.to_lowercase();
        let words = lower.split(|one: char| !one.is_alphanumeric()).filter(|word| !word.is_empty());
        let folded = words.fold(" ".to_owned(), |folded, word| folded + word + " ");
        Self { text: folded, enhanced: enhanced(text), raw: lower }
    }

    pub(super) fn speaks_of(&self, phrases: &[&str]) -> bool {
        phrases.iter().any(|phrase| self.text.contains(&format!(" {phrase}")))
    }

    /// Returns the wait after a limit, by the period that its words name. A daily limit waits for an hour.
    pub(super) fn wait_for_limit(&self) -> Option<TimeDelta> {
        if self.speaks_of(&["daily", "per day", "24 hour"]) {
            Some(TimeDelta::hours(1))
        } else if self.speaks_of(&["hourly", "per hour"]) {
            Some(TimeDelta::minutes(15))
        } else if self.speaks_of(&["per minute"]) {
            Some(TimeDelta::minutes(1))
        } else if self.speaks_of(&["per second", "sending rate"]) {
            Some(TimeDelta::seconds(2))
        } else {
            None
        }
    }

    /// Returns the wait that the words state, as in `in 300 seconds`, `5 minutes` or `00:15:00`, and a little more.
    pub(super) fn stated_wait(&self) -> Option<TimeDelta> {
        let tokens: Vec<&str> = self
            .raw
            .split(|one: char| one.is_whitespace() || "()[],;".contains(one))
            .map(|token| token.trim_end_matches('.'))
            .filter(|token| !token.is_empty())
            .collect();
        let stated = tokens.iter().enumerate().find_map(|(place, token)| {
            clock(token).or_else(|| {
                let digits = token.bytes().take_while(u8::is_ascii_digit).count();
                let (number, unit) = token.split_at(digits);
                let unit = if unit.is_empty() { *tokens.get(place + 1)? } else { unit };
                number.parse::<i64>().ok()?.checked_mul(seconds_of(unit)?)
            })
        })?;
        let is_sound = (1..=24 * 60 * 60).contains(&stated);
        is_sound.then(|| TimeDelta::seconds(stated) + TimeDelta::seconds(30))
    }
}

/// Reads `hh:mm:ss`.
fn clock(token: &str) -> Option<i64> {
    let parts: Vec<i64> = token.split(':').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let &[hours, minutes, seconds] = parts.as_slice() else { return None };
    let is_sound = (0..=24).contains(&hours) && (0..60).contains(&minutes) && (0..60).contains(&seconds);
    is_sound.then_some(hours * 3_600 + minutes * 60 + seconds)
}

fn seconds_of(unit: &str) -> Option<i64> {
    match unit {
        "s" => Some(1),
        "m" => Some(60),
        "h" => Some(3_600),
        _ if unit.starts_with("sec") => Some(1),
        _ if unit.starts_with("min") => Some(60),
        _ if unit.starts_with("hour") => Some(3_600),
        _ => None,
    }
}

/// Reads the enhanced code at the beginning of a reply, or in brackets as in `(#5.1.1)`. Texts quote the codes of other
/// servers elsewhere.
fn enhanced(text: &str) -> Option<(u16, u16)> {
    let first = text.split_whitespace().next()?;
    let bracketed = text.split_once("(#").map(|(_, rest)| rest.split(')').next().unwrap_or_default());
    parts(first).or_else(|| parts(bracketed?))
}

fn parts(code: &str) -> Option<(u16, u16)> {
    let numbers: Vec<u16> = code.split('.').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    match numbers.as_slice() {
        &[4 | 5, subject, detail] => Some((subject, detail)),
        _ => None,
    }
}
