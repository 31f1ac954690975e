//! The rows of the desired state, before they are decoded.

use sqlx::PgConnection;

use super::Error;
use crate::core::domain::Name;
use crate::core::plan::{Kind, StoredObject};

/// Reads the objects that `sql` selects: kind, name, format, body as text, and source. The second
/// list names rows with an unknown kind or an invalid name. The body is decoded later, object by object.
pub(super) async fn stored_objects(
    db: &mut PgConnection,
    sql: &'static str,
) -> Result<(Vec<StoredObject>, Vec<String>), Error> {
    let rows: Vec<(String, String, i32, String, String)> =
        sqlx::query_as(sql).fetch_all(db).await.map_err(Error::during("read the manifests in force"))?;
    let (mut objects, mut unknown) = (Vec::with_capacity(rows.len()), Vec::new());
    for (kind, name, format, body, source) in rows {
        match (Kind::parse(&kind), Name::parse(&name)) {
            (Some(kind), Ok(name)) => objects.push(StoredObject { kind, name, format, body, source }),
            _ => unknown.push(format!("{kind} `{name}`")),
        }
    }
    Ok((objects, unknown))
}
