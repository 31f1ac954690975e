//! The identity of a repository: its name from everywhere, without the protocol and without secrets.

use std::path::{Component, PathBuf};

/// Returns `example.com/team/campaigns#growth` for `https://token@example.com/team/campaigns.git` and the folder
/// `growth`.
///
/// A path has no identity, because it is another repository on another machine.
pub(super) fn identity(url: &str, paths: &[PathBuf]) -> Option<String> {
    let (host, path) = match url.split_once("://") {
        Some(("file", _)) => return None,
        Some((_, rest)) => rest.split_once('/')?,
        // Ssh has the same rule: a path has no colon before its first slash.
        None => url.split_once(':').filter(|(host, _)| !host.contains('/'))?,
    };
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let host = host.split_once(':').map_or(host, |(host, _)| host).to_lowercase();
    let path = path.trim_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    let mut folders: Vec<String> = paths.iter().map(|path| folder(path)).collect();
    folders.sort();
    folders.dedup();
    let folders = if folders.is_empty() { String::new() } else { format!("#{}", folders.join(",")) };
    Some(format!("{host}/{path}{folders}"))
}

fn folder(path: &std::path::Path) -> String {
    let parts = path.components().filter(|part| matches!(part, Component::Normal(_)));
    let path: PathBuf = parts.collect();
    if path.as_os_str().is_empty() { ".".to_owned() } else { path.display().to_string() }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::identity;

    #[test]
    fn every_url_of_a_repository_gives_one_identity() {
        let of = |url: &str, paths: &[&str]| identity(url, &paths.iter().map(PathBuf::from).collect::<Vec<_>>());
        for url in [
            "https://example.com/team/campaigns.git",
            "https://ana:s3cr@t@Example.com:8443/team/campaigns",
            "ssh://git@example.com:2222/team/campaigns.git/",
            "git@example.com:team/campaigns.git",
            "example.com:/team/campaigns",
        ] {
            assert_eq!(of(url, &[]).as_deref(), Some("example.com/team/campaigns"), "{url}");
        }
        let two = of("git@example.com:a.git", &["./growth/", "base"]);
        assert_eq!(two.as_deref(), Some("example.com/a#base,growth"));
        assert_eq!(of("git@example.com:a.git", &["base", "growth", "base"]), two);
        assert_eq!(of("git@example.com:a.git", &["."]).as_deref(), Some("example.com/a#."));
        for path in ["/srv/a.git", "file:///srv/a.git", "../a", "a:b/c/../d".strip_prefix("a:").unwrap()] {
            assert_eq!(of(path, &[]), None, "{path}");
        }
    }
}
