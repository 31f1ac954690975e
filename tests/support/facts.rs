//! Facts of a world, as an import leaves them.

use crate::support::world::World;

/// One referral as a test needs it; the rest is made up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Person<'a> {
    pub(crate) id: &'a str,
    pub(crate) account: &'a str,
    pub(crate) phone: &'a str,
    pub(crate) language: Option<&'a str>,
    pub(crate) registered_at: &'a str,
}

impl<'a> Person<'a> {
    /// Somebody of account `a1` who registered on 20 November 2026 and agreed to be written to.
    pub(crate) fn new(id: &'a str, phone: &'a str) -> Self {
        Self { id, account: "a1", phone, language: Some("fr"), registered_at: "2026-11-20T10:00:00Z" }
    }
}

impl World {
    /// An account in Douala (UTC+1), in French.
    pub(crate) async fn account(&self, id: &str) {
        self.sql(&format!(
            "insert into account (external_id, name, language, country, timezone, as_of)
             values ('{id}', 'Aminata', 'fr', 'CM', 'Africa/Douala', '2026-11-01Z')"
        ))
        .await;
    }

    pub(crate) async fn person(&self, person: Person<'_>) {
        let Person { id, account, phone, language, registered_at } = person;
        let language = language.map_or("null".to_owned(), |tag| format!("'{tag}'"));
        self.sql(&format!(
            "insert into referral (account_id, external_id, name, phone, language, country, registered_at, consent,
                                   as_of, is_current)
             select id, '{id}', 'Paul', '{phone}', {language}, 'CM', '{registered_at}', 'opted_in', '2026-11-01Z', true
             from account where external_id = '{account}'"
        ))
        .await;
        self.facts_changed().await;
    }

    /// What an import leaves behind for the loops.
    pub(crate) async fn facts_changed(&self) {
        let now = self.now.to_rfc3339();
        self.sql("update facts_generation set facts = facts + 1").await;
        self.sql(&format!("update run set enroll_at = '{now}', check_at = '{now}' where finished_at is null")).await;
        self.sql(&format!("update lane set wake_at = '{now}'")).await;
    }

    /// The person has paid. Nothing is woken by it: what reads payments again has to find it.
    pub(crate) async fn pay(&self, id: &str, at: &str) {
        self.sql(&format!("update referral set paid_at = '{at}' where external_id = '{id}'")).await;
    }

    /// What is known of the person's consent.
    pub(crate) async fn consent(&self, id: &str, consent: Option<&str>) {
        let consent = consent.map_or("null".to_owned(), |consent| format!("'{consent}'"));
        self.sql(&format!("update referral set consent = {consent} where external_id = '{id}'")).await;
    }

    /// The subscriptions of all accounts end then.
    pub(crate) async fn subscriptions_end(&self, at: Option<&str>) {
        let at = at.map_or("null".to_owned(), |at| format!("'{at}'"));
        self.sql(&format!("update account set subscription_ends_at = {at}")).await;
    }

    /// The WhatsApp numbers of all accounts are in this state.
    pub(crate) async fn numbers_are(&self, status: &str) {
        self.sql(&format!("update account set whatsapp_status = '{status}'")).await;
    }
}
