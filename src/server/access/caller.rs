//! The caller of a request, and the rights that a route asks for.

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;

use super::gate::{Gate, Peer};
use crate::core::access::Role;
use crate::core::domain::{AccountId, Timestamp};
use crate::server::problem::{Kind, Problem};

/// The caller of a request.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// The number of the token.
    pub(crate) token: i32,
    /// The name of the token: the actor of writes.
    pub(crate) name: String,
    pub(crate) role: Role,
    /// The only account that it may see.
    pub(crate) scope: Option<Scope>,
    /// The instant of the request.
    pub(crate) now: Timestamp,
}

/// The only account that a caller may see.
#[derive(Debug, Clone)]
pub(crate) struct Scope {
    pub(crate) id: AccountId,
    /// The account's external id.
    pub(crate) name: String,
}

/// A caller who may read.
#[derive(Debug)]
pub(crate) struct Reader(pub(crate) Caller);

/// A caller who may give orders.
#[derive(Debug)]
pub(crate) struct Operator(pub(crate) Caller);

impl Caller {
    async fn of<S: Sync>(parts: &mut Parts, state: &S) -> Result<Self, Problem>
    where
        Gate: FromRef<S>,
    {
        let peer = parts.extensions.get::<Peer>().copied();
        let (bearer, now) = Gate::from_ref(state).bearer(&parts.headers, peer).await?;
        let scope = bearer.account_id.map(AccountId).zip(bearer.account).map(|(id, name)| Scope { id, name });
        if bearer.account_id.is_some() && scope.is_none() {
            // The account of the token is gone. Nothing is visible to it.
            return Err(Problem::of(Kind::Unauthorized));
        }
        Ok(Self { token: bearer.id, name: bearer.name, role: bearer.role, scope, now })
    }

    /// Refuses a caller who may see one account alone.
    pub(crate) fn sees_every_account(&self) -> Result<(), Problem> {
        if self.scope.is_some() { Err(Problem::of(Kind::AccountScope)) } else { Ok(()) }
    }

    pub(crate) fn scope_id(&self) -> Option<AccountId> {
        self.scope.as_ref().map(|scope| scope.id)
    }

    pub(crate) fn scope_name(&self) -> Option<&str> {
        self.scope.as_ref().map(|scope| &*scope.name)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Reader
where
    Gate: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let caller = Caller::of(parts, state).await?;
        if caller.role.reads() { Ok(Self(caller)) } else { Err(needs("`viewer` or `operator`", caller.role)) }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Operator
where
    Gate: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let caller = Caller::of(parts, state).await?;
        if caller.role.orders() { Ok(Self(caller)) } else { Err(needs("`operator`", caller.role)) }
    }
}

fn needs(roles: &str, role: Role) -> Problem {
    Problem::new(
        Kind::RoleTooLow,
        format!("this needs a token with the role {roles}; the role of this one is `{role}`"),
    )
}
