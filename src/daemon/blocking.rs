//! Work that would hold up the loops: it runs on a thread of its own.

/// Runs `work` apart from the threads of the loops. Checks, templates and plans of large trees take a while.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(failed) => std::panic::resume_unwind(failed.into_panic()),
    }
}
