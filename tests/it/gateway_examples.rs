//! The examples of gateways in the documentation, each against a server that answers as the gateway is documented to.

use std::fs;
use std::path::Path;

use chrono::TimeDelta;
use relance::channel::{Channel, Http, Outcome, Reaction};
use relance::core::domain::Name;
use relance::core::manifest::check;
use relance::core::manifest::desired::Channel as Spec;
use tempfile::TempDir;

use crate::gateway::{message, now};
use crate::support::daemon::folder;
use crate::support::receiver::{Answer, Receiver, Request};
use crate::support::trees::sources;

/// An answer of a gateway: the status, a header, the body.
type Said = (u16, &'static str, &'static str);

/// The outcome that an answer must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Follows {
    Sent(&'static str),
    Uncertain,
    Refused(Reaction),
}

use Follows::{Refused, Sent, Uncertain};

const LEAVE: Follows = Refused(Reaction::Leave);
const SUPPRESS: Follows = Refused(Reaction::Suppress);
const FAIL: Follows = Refused(Reaction::FailDay);
const RETRY: Follows = Refused(Reaction::Retry { after: None });
const SLOW: Follows = Refused(Reaction::Throttle { after: None });
const PAUSE_ACCOUNT: Follows = Refused(Reaction::PauseAccount);
const PAUSE_CHANNEL: Follows = Refused(Reaction::PauseChannel);
const NO_HEADER: &str = "content-type: application/json";

const fn slow(seconds: i64) -> Follows {
    Refused(Reaction::Throttle { after: Some(TimeDelta::seconds(seconds)) })
}

/// The example as it stands in the documentation, but for its server and the place of its secret.
struct Example {
    channel: Http,
    receiver: Receiver,
    _secrets: TempDir,
}

impl Example {
    fn of(file: &str, server: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/src/channels").join(file);
        let (receiver, secrets) = (Receiver::start(), folder());
        let here = receiver.url();
        let here = here.strip_suffix("/hook").unwrap();
        let secret = secrets.path().join("secret");
        fs::write(&secret, format!("{here}/sms/json?api_key=k&api_secret=hunter2")).unwrap();
        let text = fs::read_to_string(path).unwrap().replace(server, here);
        let written = text.lines().map(|line| match line.split_once(": {from") {
            Some((key, _)) => format!("{key}: {{fromFile: {}}}\n", secret.display()),
            None => format!("{line}\n"),
        });
        let yaml: String = written.collect();
        let checked = check(&sources(&[("channel.yaml", yaml.as_bytes())]));
        assert!(!checked.has_errors(), "{:?}", checked.diagnostics);
        let specs: Vec<(Name, Spec)> = checked.desired.channels.into_iter().collect();
        let [(_, Spec::Http(spec))] = &specs[..] else { panic!("{specs:?}") };
        Self { channel: Http::new((**spec).clone()), receiver, _secrets: secrets }
    }

    async fn follows(&self, cases: &[(Said, Follows)]) {
        for ((status, header, body), wanted) in cases {
            self.receiver.answer(&[Answer::Says(*status, header, body)]);
            let [outcome] = &self.channel.hand_over(&[message(1)], now()).await[..] else { panic!() };
            let found = match outcome {
                Outcome::Accepted { provider_id, .. } => {
                    assert_eq!(*wanted, Sent(wanted.id()), "{status} {body}: {outcome:?}");
                    assert_eq!(provider_id, wanted.id(), "{status} {body}");
                    continue;
                }
                Outcome::Unknown { .. } => Uncertain,
                Outcome::Refused(refusal) => Refused(refusal.reaction),
            };
            assert_eq!(found, *wanted, "{status} {body}: {outcome:?}");
        }
    }

    /// The last request.
    fn request(&self) -> Request {
        self.receiver.take().pop().unwrap()
    }
}

impl Follows {
    fn id(self) -> &'static str {
        match self {
            Sent(id) => id,
            Uncertain | Refused(_) => "",
        }
    }
}

#[tokio::test]
async fn evolution_pauses_the_account_or_exits_the_number_at_fault() {
    let example = Example::of("evolution.yaml", "http://evolution:8080");
    let cases = [
        (
            (201, NO_HEADER, r#"{"key": {"remoteJid": "1@s.whatsapp.net", "id": "3EB0"}, "status": "PENDING"}"#),
            Sent("3EB0"),
        ),
        (
            (
                400,
                NO_HEADER,
                r#"{"status": 400, "error": "Bad Request", "response": {"message": [{"jid": "1@s.whatsapp.net", "exists": false, "number": "1"}]}}"#,
            ),
            LEAVE,
        ),
        (
            (
                400,
                NO_HEADER,
                r#"{"status": 400, "error": "Bad Request", "response": {"message": ["text is required"]}}"#,
            ),
            FAIL,
        ),
        (
            (
                400,
                NO_HEADER,
                r#"{"status": 400, "error": "Bad Request", "response": {"message": ["Error: Connection Closed"]}}"#,
            ),
            PAUSE_ACCOUNT,
        ),
        (
            (
                404,
                NO_HEADER,
                r#"{"status": 404, "error": "Not Found", "response": {"message": ["The \"aminata\" instance does not exist"]}}"#,
            ),
            PAUSE_ACCOUNT,
        ),
        (
            (
                500,
                NO_HEADER,
                r#"{"status": 500, "error": "Internal Server Error", "response": {"message": ["Error: Connection Closed"]}}"#,
            ),
            PAUSE_ACCOUNT,
        ),
        (
            (
                500,
                NO_HEADER,
                r#"{"status": 500, "error": "Internal Server Error", "response": {"message": "Connection Closed"}}"#,
            ),
            PAUSE_ACCOUNT,
        ),
        (
            (
                500,
                NO_HEADER,
                r#"{"status": 500, "error": "Internal Server Error", "response": {"message": "out of memory"}}"#,
            ),
            Uncertain,
        ),
        (
            (401, NO_HEADER, r#"{"status": 401, "error": "Unauthorized", "response": {"message": "Unauthorized"}}"#),
            PAUSE_ACCOUNT,
        ),
    ];
    example.follows(&cases).await;
    let request = example.request();
    assert_eq!(request.line, "POST /message/sendText/aminata");
    assert_eq!(request.json()["number"], "237671000001");
}

#[tokio::test]
async fn waha_without_a_session_pauses_only_the_channel() {
    let example = Example::of("waha.yaml", "http://waha:3000");
    let session = |status| match status {
        "STARTING" => {
            r#"{"error": "Session status is not as expected. Try again later or restart the session", "session": "default", "status": "STARTING", "expected": ["WORKING"]}"#
        }
        "SCAN_QR_CODE" => {
            r#"{"error": "Session status is not as expected. Try again later or restart the session", "session": "default", "status": "SCAN_QR_CODE", "expected": ["WORKING"]}"#
        }
        "FAILED" => {
            r#"{"error": "Session status is not as expected. Try again later or restart the session", "session": "default", "status": "FAILED", "expected": ["WORKING"]}"#
        }
        _ => {
            r#"{"error": "Session status is not as expected. Try again later or restart the session", "session": "default", "status": "STOPPED", "expected": ["WORKING"]}"#
        }
    };
    let cases = [
        ((201, NO_HEADER, r#"{"id": "true_1@c.us_3EB0"}"#), Sent("relance.3.1.1.2")),
        ((422, NO_HEADER, session("STARTING")), SLOW),
        ((422, NO_HEADER, session("SCAN_QR_CODE")), PAUSE_CHANNEL),
        ((422, NO_HEADER, session("FAILED")), PAUSE_CHANNEL),
        ((422, NO_HEADER, session("STOPPED")), PAUSE_CHANNEL),
        ((422, NO_HEADER, r#"{"message": ["text must be a string"], "error": "Unprocessable Entity"}"#), FAIL),
        ((401, NO_HEADER, r#"{"message": "Unauthorized", "statusCode": 401}"#), PAUSE_CHANNEL),
        ((500, NO_HEADER, r#"{"statusCode": 500}"#), Uncertain),
    ];
    example.follows(&cases).await;
    let request = example.request();
    assert_eq!((request.line.as_str(), &request.json()["chatId"]), ("POST /api/sendText", &"237671000001@c.us".into()));
}

#[tokio::test]
async fn gowa_error_codes_map_to_reactions() {
    let example = Example::of("go-whatsapp-web-multidevice.yaml", "http://gowa:3000");
    let cases = [
        (
            (
                200,
                NO_HEADER,
                r#"{"code": "SUCCESS", "message": "Message sent", "results": {"message_id": "3EB0", "status": "sent"}}"#,
            ),
            Sent("3EB0"),
        ),
        ((400, NO_HEADER, r#"{"code": "INVALID_JID", "message": "user is not registered"}"#), LEAVE),
        ((400, NO_HEADER, r#"{"code": "VALIDATION_ERROR", "message": "message: cannot be blank."}"#), FAIL),
        (
            (500, NO_HEADER, r#"{"code": "INVALID_WA_CLI", "message": "your WhatsApp CLI is invalid or empty"}"#),
            PAUSE_CHANNEL,
        ),
        ((401, NO_HEADER, r#"{"code": "AUTHENTICATION_ERROR", "message": "you are not logged in"}"#), PAUSE_CHANNEL),
        (
            (429, NO_HEADER, r#"{"code": "WA_REACHOUT_TIMELOCK", "message": "WhatsApp rejected this send"}"#),
            PAUSE_CHANNEL,
        ),
        ((200, NO_HEADER, r#"{"code": "ERROR", "message": "no"}"#), FAIL),
        ((500, NO_HEADER, r#"{"code": "INTERNAL_SERVER_ERROR", "message": "no"}"#), Uncertain),
        ((200, "content-type: text/html", "<html>"), Uncertain),
    ];
    example.follows(&cases).await;
    assert_eq!(example.request().line, "POST /send/message");
}

#[tokio::test]
async fn twilio_opt_outs_suppress_the_person() {
    let example = Example::of("twilio.yaml", "https://api.twilio.com");
    let cases = [
        ((201, NO_HEADER, r#"{"sid": "SM1", "status": "queued", "error_code": null}"#), Sent("SM1")),
        (
            (
                400,
                NO_HEADER,
                r#"{"code": 21610, "message": "Attempt to send to unsubscribed recipient", "status": 400}"#,
            ),
            SUPPRESS,
        ),
        ((400, NO_HEADER, r#"{"code": 21211, "message": "Invalid 'To' Phone Number", "status": 400}"#), LEAVE),
        (
            (
                400,
                NO_HEADER,
                r#"{"code": 21614, "message": "'To' number is not a valid mobile number", "status": 400}"#,
            ),
            LEAVE,
        ),
        (
            (
                400,
                NO_HEADER,
                r#"{"code": 21611, "message": "This 'From' number has exceeded the maximum number of queued messages", "status": 400}"#,
            ),
            SLOW,
        ),
        ((429, "retry-after: 7", r#"{"code": 20429, "message": "Too Many Requests", "status": 429}"#), slow(7)),
        (
            (400, NO_HEADER, r#"{"code": 21606, "message": "The 'From' phone number is not valid", "status": 400}"#),
            PAUSE_CHANNEL,
        ),
        ((401, NO_HEADER, r#"{"code": 20003, "message": "Authenticate", "status": 401}"#), PAUSE_CHANNEL),
        ((403, NO_HEADER, r#"{"code": 20005, "message": "Account not active", "status": 403}"#), PAUSE_CHANNEL),
        (
            (
                400,
                NO_HEADER,
                r#"{"code": 21617, "message": "The concatenated message body exceeds the 1600 character limit", "status": 400}"#,
            ),
            FAIL,
        ),
        ((503, "retry-after: Mon, 30 Nov 2026 08:01:00 GMT", ""), slow(60)),
        ((500, NO_HEADER, r#"{"code": 20500, "message": "Internal Server Error", "status": 500}"#), Uncertain),
    ];
    example.follows(&cases).await;
    let request = example.request();
    assert!(request.line.ends_with("/Messages.json"), "{}", request.line);
    assert!(request.body.starts_with("To=%2B237671000001&From=%2B15005550006&Body=Bonjour"), "{}", request.body);
    assert!(request.headers["authorization"].starts_with("Basic "));
}

#[tokio::test]
async fn vonage_errors_inside_a_200_are_recognized() {
    let example = Example::of("vonage.yaml", "https://rest.nexmo.com");
    let said = |body| (200, NO_HEADER, body);
    let cases = [
        (said(r#"{"message-count": "1", "messages": [{"to": "1", "message-id": "0A", "status": "0"}]}"#), Sent("0A")),
        (
            said(r#"{"message-count": "1", "messages": [{"status": "1", "error-text": "Throughput Rate Exceeded"}]}"#),
            SLOW,
        ),
        (said(r#"{"message-count": "1", "messages": [{"status": "3", "error-text": "Invalid value"}]}"#), FAIL),
        (
            said(r#"{"message-count": "1", "messages": [{"status": "4", "error-text": "Bad Credentials"}]}"#),
            PAUSE_CHANNEL,
        ),
        (said(r#"{"message-count": "1", "messages": [{"status": "5", "error-text": "Internal Error"}]}"#), RETRY),
        (said(r#"{"message-count": "1", "messages": [{"status": "7", "error-text": "Number Barred"}]}"#), LEAVE),
        (
            said(r#"{"message-count": "1", "messages": [{"status": "9", "error-text": "Quota Exceeded - rejected"}]}"#),
            PAUSE_CHANNEL,
        ),
        (said(r#"{"message-count": "1", "messages": [{"status": "33", "error-text": "Number De-activated"}]}"#), LEAVE),
        (said("<html>"), Uncertain),
        ((429, "retry-after: 2", ""), slow(2)),
    ];
    example.follows(&cases).await;
    let request = example.request();
    assert_eq!(request.line, "POST /sms/json?api_key=k&api_secret=hunter2");
    assert!(request.body.starts_with("from=Relance&to=237671000001&text=Bonjour"), "{}", request.body);
}

#[tokio::test]
async fn infobip_status_groups_and_names_map_to_reactions() {
    let example = Example::of("infobip.yaml", "https://xxxxx.api.infobip.com");
    let said = |body| (200, NO_HEADER, body);
    macro_rules! status {
        ($group:literal, $group_name:literal, $name:literal) => {
            said(concat!(
                r#"{"messages": [{"messageId": "44", "status": {"groupId": "#,
                $group,
                r#", "groupName": ""#,
                $group_name,
                r#"", "name": ""#,
                $name,
                r#""}}]}"#
            ))
        };
    }
    let cases = [
        (
            said(
                r#"{"messages": [{"messageId": "44", "status": {"groupId": 1, "groupName": "PENDING", "id": 26, "name": "PENDING_ACCEPTED"}}]}"#,
            ),
            Sent("44"),
        ),
        (
            said(
                r#"{"messages": [{"messageId": "44", "status": {"groupId": 5, "groupName": "REJECTED", "id": 12, "name": "REJECTED_NOT_ENOUGH_CREDITS"}}]}"#,
            ),
            PAUSE_CHANNEL,
        ),
        (status!(5, "REJECTED", "REJECTED_SENDER"), PAUSE_CHANNEL),
        (status!(5, "REJECTED", "REJECTED_DESTINATION"), LEAVE),
        (status!(5, "REJECTED", "REJECTED_DND"), LEAVE),
        (status!(5, "REJECTED", "REJECTED_FLOODING_FILTER"), SLOW),
        (status!(5, "REJECTED", "REJECTED_SYSTEM_ERROR"), RETRY),
        (status!(5, "REJECTED", "REJECTED_MESSAGE_TOO_LONG"), FAIL),
        (status!(2, "UNDELIVERABLE", "UNDELIVERABLE_REJECTED_OPERATOR"), LEAVE),
        (said("{}"), Uncertain),
        ((401, NO_HEADER, r#"{"requestError": {"serviceException": {"messageId": "UNAUTHORIZED"}}}"#), PAUSE_CHANNEL),
        ((429, "retry-after: 30", ""), slow(30)),
    ];
    example.follows(&cases).await;
    let sent = &example.request().json()["messages"][0];
    assert_eq!(sent["destinations"][0]["to"], "237671000001");
    assert!(sent["content"]["text"].as_str().unwrap().starts_with("Bonjour"));
}

#[tokio::test]
async fn africas_talking_errors_and_opt_outs_inside_a_201_are_recognized() {
    let example = Example::of("africas-talking.yaml", "https://api.africastalking.com");
    let said = |body| (201, NO_HEADER, body);
    let cases = [
        (
            said(
                r#"{"SMSMessageData": {"Message": "Sent to 1/1 Total Cost: KES 0.8", "Recipients": [{"statusCode": 101, "number": "+1", "status": "Success", "messageId": "ATXid_1"}]}}"#,
            ),
            Sent("ATXid_1"),
        ),
        (
            said(
                r#"{"SMSMessageData": {"Recipients": [{"statusCode": 406, "status": "UserInBlacklist", "messageId": "None"}]}}"#,
            ),
            SUPPRESS,
        ),
        (
            said(
                r#"{"SMSMessageData": {"Recipients": [{"statusCode": 403, "status": "InvalidPhoneNumber", "messageId": "None"}]}}"#,
            ),
            LEAVE,
        ),
        (
            said(
                r#"{"SMSMessageData": {"Recipients": [{"statusCode": 409, "status": "DoNotDisturbRejection", "messageId": "None"}]}}"#,
            ),
            LEAVE,
        ),
        (
            said(
                r#"{"SMSMessageData": {"Message": "Sent to 0/1 Total Cost: 0", "Recipients": [{"statusCode": 405, "status": "InsufficientBalance", "cost": "0", "messageId": "None"}]}}"#,
            ),
            PAUSE_CHANNEL,
        ),
        (said(r#"{"SMSMessageData": {"Message": "InvalidSenderId", "Recipients": []}}"#), PAUSE_CHANNEL),
        (
            said(
                r#"{"SMSMessageData": {"Recipients": [{"statusCode": 501, "status": "GatewayError", "messageId": "None"}]}}"#,
            ),
            RETRY,
        ),
        (
            said(r#"{"SMSMessageData": {"Recipients": [{"statusCode": 499, "status": "Odd", "messageId": "None"}]}}"#),
            FAIL,
        ),
        (said(r#"{"SMSMessageData": {"Message": "Sent to 0/0", "Recipients": []}}"#), Uncertain),
        ((401, "content-type: text/plain", "The supplied authentication is invalid"), PAUSE_CHANNEL),
    ];
    example.follows(&cases).await;
    let request = example.request();
    assert!(request.body.starts_with("username=relance&to=%2B237671000001&message=Bonjour"), "{}", request.body);
    assert_eq!(request.headers["accept"], "application/json");
}

#[test]
fn every_gateway_example_has_a_test() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tests = fs::read_to_string(here.join("tests/it/gateway_examples.rs")).unwrap();
    for entry in fs::read_dir(here.join("docs/src/channels")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let is_gateway = fs::read_to_string(&path).unwrap().contains("type: http");
        assert!(!is_gateway || tests.contains(&format!("\"{name}\"")), "no test tries {name}");
    }
}
