//! The stable codes of findings, numbered by hundreds: YAML, shape, references, templates and days, schedules,
//! filters, tests, and results of test runs.

use std::fmt;

use super::Severity;

/// Declares the codes in one table: identifier, name, severity, and the paragraph of `relancectl explain`.
macro_rules! codes {
    ($($variant:ident = $id:literal $name:literal $severity:ident $text:literal;)*) => {
        /// The code of a finding. Codes are never reused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $($variant,)* }

        impl Code {
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Returns the identifier, such as `RL0204`.
            pub const fn id(self) -> &'static str {
                match self { $(Self::$variant => $id,)* }
            }

            /// Returns the name, such as `unknown-key`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            pub const fn severity(self) -> Severity {
                match self { $(Self::$variant => Severity::$severity,)* }
            }

            /// Returns a paragraph with the problem and its solution.
            pub const fn explanation(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }
    };
}

codes! {
    // 01xx: reading YAML
    InvalidUtf8 = "RL0101" "invalid-utf8" Error
        "The file holds bytes that are not UTF-8. Manifests are UTF-8, with or without a byte order mark. Files saved by old Windows programs are often in Windows-1252: convert them, for instance with `iconv -f WINDOWS-1252 -t UTF-8`.";
    InvalidYaml = "RL0102" "invalid-yaml" Error
        "The document is not well-formed YAML. Common causes: a tab used for indentation, a missing space after `:`, a quote that is never closed, text beginning with `{`, `*`, `&` or `@` that should be quoted. Nothing of this document is used; the other documents of the file are.";
    DuplicateKey = "RL0103" "duplicate-key" Error
        "A mapping has the same key twice. Most YAML readers silently keep the last one, so that half of what you wrote would be ignored: here it is an error. Remove one of the two, or merge them.";
    YamlTooComplex = "RL0104" "yaml-too-complex" Error
        "The document goes over a limit: nesting of 24 levels, the number of values of one file, or the expansion of aliases (`*name`), of which a whole tree may repeat 32 MiB. The limits stop files that are small on disk and unfold to gigabytes. Real manifests stay far below; split the file if yours does not.";
    FileTooLarge = "RL0105" "file-too-large" Error
        "The file is larger than 4 MiB and was not read. Split it: several files and folders mean the same as one file.";
    UnquotedNumber = "RL0106" "unquoted-number" Error
        "Text was expected, and YAML reads this value as a number, a boolean or nothing. A phone number without quotes loses its `+` and its leading zeros, an identifier such as `007` its zeros. Put it in quotes.";
    NotAMapping = "RL0107" "not-a-mapping" Error
        "A manifest is a mapping with `apiVersion`, `kind`, `metadata` and `spec`; this document is a list or a single value. Separate several manifests with a line `---` instead of writing them as a list.";
    UnsupportedYaml = "RL0108" "unsupported-yaml" Error
        "The document uses a part of YAML that manifests do not: tags such as `!secret`, keys that are empty, lists or mappings, numbers that are not finite. Write plain text, numbers, booleans, lists and mappings.";
    TooManyProblems = "RL0109" "too-many-problems" Error
        "The file has so many problems that the rest of it was not looked at. Usually it is no manifest at all, but some other YAML that strayed into the directory.";
    NotAFile = "RL0110" "not-a-file" Error
        "The path has the name of a manifest and is a pipe, a socket or a device. A read of it may wait for ever, so it is never read. It may stand in place of a manifest, so nothing counts as removed meanwhile. Remove it, or give it another name.";
    CommentInText = "RL0111" "comment-in-text" Warning
        "A text without quotes ends before ` #`: YAML takes the rest of the line for a comment. `fr: Salut #2` is `Salut` alone. Put the text in quotes if the `#` belongs to it. Else write the comment on a line of its own.";

    // 02xx: shape
    UnsupportedApiVersion = "RL0201" "unsupported-api-version" Error
        "Every manifest begins with `apiVersion: relance/v1`. It says which rules the file was written for.";
    UnknownKind = "RL0202" "unknown-kind" Error
        "There is no manifest of this kind. Kinds are written with a capital letter: `Campaign`, `Filter`, `Schedule`, `Sequence`, `Defaults`, `Channel`, `Queue`, `Account`, `Notifier`, `CampaignTest`.";
    UnknownKey = "RL0204" "unknown-key" Error
        "The key means nothing here. It is usually a spelling mistake, or a key that stands at the wrong depth. `relancectl schema KIND` prints all keys of a kind.";
    MissingKey = "RL0205" "missing-key" Error
        "A key that has no default is missing.";
    WrongType = "RL0206" "wrong-type" Error
        "The value has another type than expected here, for instance a mapping instead of text, or a number with decimals instead of a whole one.";
    UnknownValue = "RL0207" "unknown-value" Error
        "Only certain words are allowed here, and this is none of them. The help line lists them.";
    InvalidValue = "RL0208" "invalid-value" Error
        "The text has the wrong form: a duration is `90s`, `2m`, `24h` or `7d`, a time is RFC 3339 or a local `2026-12-01T08:00`, a country is ISO 3166-1 alpha-2 (`CM`), a language BCP 47 (`fr`, `pt-BR`), a time of day `08:00`.";
    InvalidName = "RL0209" "invalid-name" Error
        "Names of manifests are RFC 1123 labels: 1 to 63 lower-case letters, digits and hyphens, with a letter or digit at both ends. They appear in addresses, metrics and plans.";
    OutOfRange = "RL0210" "out-of-range" Error
        "The number is too small or too large, or a list has too few entries. A limit of 0 would mean a campaign that never does anything: leave the limit out, or write `state: paused`.";
    NoEffect = "RL0212" "no-effect" Warning
        "The manifest, or a value in it, changes nothing: an `Account` that sets nothing, or a `sender` in a tree none of whose channels has senders.";
    LiteralSecret = "RL0213" "literal-secret" Error
        "A secret is written out in the manifest. Manifests are in git, where everybody who can read the repository reads it, for ever. The finding does not repeat it. Say where it is instead: `{fromEnv: NAME}` for a variable of the daemon's environment, `{fromFile: PATH}` for a file beside it. What was committed once should be replaced by another secret.";

    // 03xx: references between manifests
    UnknownReference = "RL0301" "unknown-reference" Error
        "A `…Ref` names a manifest that is not in the tree. References are by `metadata.name` among manifests of one kind; file names and folders do not count.";
    InlineAndReference = "RL0302" "inline-and-reference" Error
        "The campaign gives the same thing twice, written out and by reference (`filter` and `filterRef`, or `schedule` and `scheduleRef`), or a medium of a day is at two places (`url` and `id`). Which one should win is not for us to guess: keep one.";
    NoSequence = "RL0303" "no-sequence" Error
        "The campaign has no messages: neither `sequenceRef`, nor `days` that make a whole sequence, nor a `sequenceRef` in the `Defaults` manifest.";
    DuplicateManifest = "RL0304" "duplicate-manifest" Error
        "Two manifests have the same kind and name. Neither is used until one of them is renamed or removed.";
    SecondDefaults = "RL0305" "second-defaults" Error
        "A tree has one `Defaults` manifest at most, because which of two wins would depend on the order of files. Merge them.";
    OverlappingDefaultCampaigns = "RL0306" "overlapping-default-campaigns" Error
        "Two campaigns of `type: default` take the same accounts. The default campaign takes every unpaid referral by itself, so that each account has one only. Make one of them `type: filtered`, or give them different accounts.";
    CampaignCycle = "RL0307" "campaign-cycle" Error
        "Campaigns wait for each other in a circle, by `runAfter`, by their places in queues, or by both: none of them would ever begin. The message shows the circle; take one of its steps out.";
    QueuedTwice = "RL0308" "queued-twice" Error
        "A campaign stands in two queues, or twice in one. It runs once for each account, so it has one place: keep it in one of them.";
    WaitsForEver = "RL0309" "waits-for-ever" Error
        "A campaign waits for one that is never over: `enrollment` is `continuous`, as for default campaigns, and there is no `endAt`. Give that one an `endAt`, another `enrollment`, or let nobody wait for it.";
    RenamedTwice = "RL0310" "renamed-twice" Error
        "Two campaigns claim by `relance/renamed-from` to be the one that had an old name. The people in it can go on in one of them only. Until one of the two is taken out, neither is used, and the campaign goes on under its old name.";
    AccountSetTwice = "RL0311" "account-set-twice" Error
        "Two `Account` manifests name the same account and set the same value of it. Which of them is meant is not for us to guess: until one of the two is taken out, neither is used.";
    UndecidedAccounts = "RL0312" "undecided-accounts" Warning
        "Two `Account` manifests with as many labels set another value of the same thing, and an account may have the labels of both. For such an account the one counts that comes first by name. More labels count more than fewer, and the name of an account counts most: say it that way if you mean the other one.";

    // 04xx: templates and days
    TemplateSyntax = "RL0401" "template-syntax" Error
        "The text is not a valid minijinja template: `{{ name }}` prints a variable, `{% if … %}` … `{% endif %}` is a condition. Write `{{ '{{' }}` for literal braces. An expression has 500 parts at most, a template 500 statements and 256 KiB.";
    UnknownVariable = "RL0402" "unknown-variable" Error
        "The template uses a variable that does not exist. There are: `name`, `referrerName`, `day`, `daysTotal`, `country`, `profession`, `language`, `registeredAt`, `optOutHint`, and `attributes.*` for the extra columns of an import.";
    TemplateFails = "RL0403" "template-fails" Error
        "The template is well-formed, but rendering it with sample values fails: an unknown filter or function, a calculation that cannot be done, or a loop that never ends. It would fail for every person. In `preview`: it fails for this person, who lacks an attribute that it uses.";
    DayGap = "RL0404" "day-gap" Error
        "The days of a sequence are 1, 2, 3 … without a gap. A missing day would leave people waiting for a message that does not exist.";
    DuplicateDay = "RL0405" "duplicate-day" Error
        "Two entries have the same `day`. A person gets one message a day at most.";
    DayBeyondSequence = "RL0406" "day-beyond-sequence" Error
        "The campaign overrides a day that its sequence does not have. Overrides replace days; they do not add any.";
    MissingFallbackText = "RL0407" "missing-fallback-text" Error
        "The day has no text in the fallback language of its sequence, or its `whatsappTemplate` is not in that language. Whoever speaks a language without a translation gets the fallback, so every day needs it; otherwise people would be left without a message.";
    EmptyText = "RL0408" "empty-text" Error
        "The text of a message is empty.";
    TextTooLong = "RL0409" "text-too-long" Warning
        "The text, or a caption, is longer than the channel takes by which it goes; WhatsApp refuses texts of more than 4096 characters and captions of more than 1024, and the Cloud API sends the text of a day with media as a caption. Mail takes any length. Variables can make it longer still.";
    NoOptOutHint = "RL0410" "no-opt-out-hint" Warning
        "The first message does not tell people how to stop. Messages without a way out are reported as spam, and numbers are banned for it; in many countries the hint is required by law. Use `{{ optOutHint }}`, or say STOP in your own words.";
    SameTextEveryDay = "RL0411" "same-text-every-day" Warning
        "All days of the sequence have the same text. The same message sent day after day is what spam filters look for.";
    MediaMisfit = "RL0412" "media-misfit" Error
        "The campaign has media that its channel does not take: none by mail or by a gateway whose request does not use `media`; on WhatsApp by the Cloud API one picture, film or document a day, since a day is one message, and no recording, which has no room for a text. A medium by its `id` was uploaded to WhatsApp, and goes by the Cloud API alone; there a medium is the header of the `whatsappTemplate`, which can have no other. Keep what goes, spread media over days, or let the campaign go by another channel. The channel is the campaign's `channelRef`, else that of an `Account` or of `Defaults`.";
    NoWhatsappTemplate = "RL0413" "no-whatsapp-template" Warning
        "The campaign goes out on WhatsApp by the Cloud API, which takes free text only for people who wrote to the account within the last 24 hours. Everybody else gets the approved template of the day; without one the day fails for them, and after two such days they leave the campaign.";
    NoSubject = "RL0414" "no-subject" Error
        "The campaign goes out by mail, and a day has a text without a `subject` in its language or in the fallback language. Mails without a subject are taken for spam, and none is sent.";
    FastPace = "RL0415" "fast-pace" Warning
        "Messages leave less than 30 seconds apart by a gateway that WhatsApp does not approve of. Numbers are banned for writing like a machine. Let `pacing.every` be 30s or more, with some `jitter`.";
    ManyNewPeople = "RL0416" "many-new-people" Warning
        "The campaign may take in more than 20 new people a day for one account, by a gateway that WhatsApp does not approve of. A number that is new there and writes to many strangers is banned within days. Set `limits.dailyEnrollments` to 20 or less; if the numbers of the channel have been in use for months, say `newNumbers: false` in the channel.";
    TemplateValue = "RL0417" "template-value" Error
        "A value of the `whatsappTemplate` is refused by WhatsApp whoever gets it: it is blank, or longer than 60 characters in a header, 1024 in a body (all values together), 2000 at the end of a URL, 15 in a code to copy. Only what is written in the manifest counts here; a value that is blank or too long for one person fails the day of that person alone.";
    TemplateLanguage = "RL0418" "template-language" Warning
        "The `whatsappTemplate` is not approved in every language in which the day has a text, so some people get a template in a language that is not theirs; or WhatsApp has no templates in a language that is listed. `language: [fr, en]` lists the languages in which WhatsApp approved the template under this name; without `language` they are those of `text`. WhatsApp knows Portuguese and Chinese with their country alone: `pt-BR`, `zh-CN`.";
    NeedsSmtputf8 = "RL0419" "needs-smtputf8" Warning
        "The address has letters beyond ASCII before the `@`. Such a letter has no other form, so the mail server must support SMTPUTF8, and so must the servers of the recipients. A server without it refuses every mail, and the channel pauses. A domain beyond ASCII needs no such help: it goes out as `xn--…`.";

    // 05xx: schedules
    EndsBeforeStart = "RL0501" "ends-before-start" Error
        "`endAt` is not after `startAt`: the campaign would never run.";
    EmptyWindow = "RL0502" "empty-window" Error
        "A window ends before it begins, has no days, or there is no window at all: nothing could ever be sent. A window over midnight is written as two: `20:00` to `24:00` and `00:00` to `06:00`.";
    UnknownTimezone = "RL0503" "unknown-timezone" Error
        "There is no such time zone. Use a name of the IANA database, such as `Africa/Douala` or `Europe/Paris`; abbreviations such as `CET` and offsets do not follow the changes of local time.";
    InvalidDate = "RL0504" "invalid-date" Error
        "A date is written `2026-12-25`: year, month, day.";

    // 06xx: filters
    EmptyAgeRange = "RL0601" "empty-age-range" Error
        "`age.min` is greater than `age.max`: the filter matches nobody.";
    EmptyRegistrationRange = "RL0602" "empty-registration-range" Error
        "`registered.to` is not after `registered.from`: the filter matches nobody. `from` is included, `to` is not.";
    UnknownColumn = "RL0603" "unknown-column" Warning
        "A filter by `attributes`, or a selector by `matchLabels`, names a column that no import ever had, so it matches nobody. Names of columns are compared exactly, with their case and their accents. `plan`, `apply` and `estimate` tell it, because only the database knows the columns.";

    // 07xx: tests
    TestExpectsNothing = "RL0701" "test-expects-nothing" Error
        "The test has no `expect` that could fail, so it would pass whatever the campaigns do. Say what must be so: which messages, targets and runs there are, or what a plan comes to.";
    StepKeys = "RL0702" "step-keys" Error
        "A step of a test says exactly one thing: `advance`, `at`, `event`, `edit`, `remove`, `restart`, `override` or `expect`. An `event` has the keys of its type. An `edit` has either `kind`, `name` and `patch`, or a whole `manifest`; an `override` either an `action` with its `reason`, or `clear: true`, and says its `campaign`, its `account` or both. Rows are a list, `{only: […]}`, or `{count: n, …}`.";
    DuplicateFact = "RL0703" "duplicate-fact" Error
        "Two accounts, or two referrals, of a test have the same id. An import would take the second for a newer row of the first.";
    UnknownPerson = "RL0704" "unknown-person" Error
        "A test names an account or a referral that it does not have, or not yet: somebody who registers in a step exists from that step on. People of the real database do not exist in a test.";
    TimeGoesBack = "RL0705" "time-goes-back" Error
        "`at` names an instant before the one that the steps above have come to. Time only goes forward: put the steps in order.";
    UnknownManifest = "RL0706" "unknown-manifest" Error
        "A test speaks of a campaign that is neither in the tree nor in its `overlay` or edits, or it changes or removes a manifest that is not there at that point. Such an expectation could never hold, or never fail.";
    UnknownDay = "RL0707" "unknown-day" Error
        "A test speaks of a message of a day that the sequence does not have: it could never be sent.";

    // 08xx: results of test runs
    ExpectationFailed = "RL0801" "expectation-failed" Error
        "The test ran, and what it expects is not so. Lines with `-` are what the test asks for, lines with `+` what was found instead; below stand the last events of those concerned. The steps after this one were not run.";
    StepFailed = "RL0802" "step-failed" Error
        "The test could not go on: an invented person was refused by the import, an edit broke the manifests or was refused without the test expecting it, or something is due for ever at one instant. What a test does not expect is a failure too.";
}

impl Code {
    /// Finds a code by its identifier or its name, in any case.
    pub fn find(text: &str) -> Option<Self> {
        let is = |code: &&Self| code.id().eq_ignore_ascii_case(text) || code.name().eq_ignore_ascii_case(text);
        Self::ALL.iter().find(is).copied()
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

#[cfg(test)]
mod tests {
    use super::Code;

    #[test]
    fn identifiers_are_unique_ordered_and_findable() {
        assert!(Code::ALL.windows(2).all(|pair| pair[0].id() < pair[1].id()));
        for code in Code::ALL {
            assert_eq!(Code::find(&code.id().to_lowercase()), Some(*code));
            assert_eq!(Code::find(code.name()), Some(*code));
            assert!(code.explanation().ends_with('.'), "{code}");
        }
    }
}
