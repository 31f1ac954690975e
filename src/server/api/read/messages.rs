//! Messages.

use std::sync::Arc;

use axum::extract::{OriginalUri, State};
use axum::response::Response;

use super::scope::bind;
use crate::core::domain::Phone;
use crate::core::lifecycle::message;
use crate::server::access::Reader;
use crate::server::api::list::{Page, Params, list_query};
use crate::server::api::state::Api;
use crate::server::problem::Problem;
use crate::store::query::Wanted;

list_query! {
    /// The parameters of the list of messages.
    MessagesQuery {
        /// Only messages of this campaign
        campaign: String,
        /// Only messages of this account
        account: String,
        /// Only messages to this person
        referral: String,
        /// Only messages in this state
        state: message::State,
        /// Only messages of this day of the sequence
        #[schemars(range(min = 1, max = 32767))]
        day: i16,
    }
}

/// Lists the messages, by key. Phones are masked unless the role is `operator`.
#[utoipa::path(get, path = "/messages", tag = "messages", operation_id = "listMessages", params(MessagesQuery),
    responses((status = 200, description = "A page of messages", body = ref("#/components/schemas/MessageList"))))]
pub(in crate::server::api) async fn list(
    State(api): State<Arc<Api>>,
    Reader(caller): Reader,
    uri: OriginalUri,
    Params(query): Params<MessagesQuery>,
) -> Result<Response, Problem> {
    let page = Page::of(uri, &query, &caller)?;
    let MessagesQuery { campaign, account, referral, state, day, .. } = query;
    if day.is_some_and(|day| day < 1) {
        return Err(Problem::parameter("day", "days count from 1"));
    }
    let wanted =
        Wanted { campaign, account, referral, message: state, day, limit: Some(page.rows()), ..Wanted::default() };
    let wanted = bind(&api, &caller, wanted).await?;
    let mut rows = api.readers.messages_after(&wanted, page.place).await?;
    if !caller.role.sees_phones() {
        // The phone of an erased person is empty.
        for (_, message) in rows.iter_mut().filter(|(_, message)| !message.phone.is_empty()) {
            message.phone = Phone::trusted(std::mem::take(&mut message.phone)).masked();
        }
    }
    Ok(page.answer(rows))
}
