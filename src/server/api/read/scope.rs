//! The filter of a list, as far as its caller may see.

use axum::http::Uri;

use crate::server::access::Caller;
use crate::server::api::state::Api;
use crate::server::problem::{Kind, Problem};
use crate::store::query::Wanted;

/// Binds `wanted` to the account of the caller, and refuses names that do not exist for it.
pub(in crate::server::api) async fn bind(api: &Api, caller: &Caller, wanted: Wanted) -> Result<Wanted, Problem> {
    let visible = api.readers.visible(caller.scope_id(), &wanted).await?;
    let names = [("campaign", visible.campaign), ("account", visible.account), ("referral", visible.referral)];
    for (noun, is_visible) in names {
        if !is_visible {
            return Err(Problem::new(Kind::NotFound, format!("there is no such {noun}")));
        }
    }
    let account = caller.scope_name().map(str::to_owned).or(wanted.account);
    Ok(Wanted { account, ..wanted })
}

/// Refuses parameters of a resource that takes none.
pub(in crate::server::api) fn no_parameters(uri: &Uri) -> Result<(), Problem> {
    match uri.query() {
        None | Some("") => Ok(()),
        Some(_) => Err(Problem::parameter("", "this resource takes no parameters")),
    }
}

/// Returns a name of a path. Postgres has no text with a zero byte, so nothing has such a name.
pub(in crate::server::api) fn named(name: String) -> Result<String, Problem> {
    if name.contains('\0') { Err(Problem::of(Kind::NotFound)) } else { Ok(name) }
}
