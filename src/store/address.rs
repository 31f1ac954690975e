//! The URL of a database, checked before a connection: mistakes that a driver would pass over, or answer with a riddle.
//!
//! No sentence repeats a URL, which may hold a password.

/// Returns a sentence about the first mistake.
pub(super) fn check(url: &str) -> Result<(), String> {
    const FORM: &str = "write `postgres://user@host:5432/database`";
    let Some((scheme, rest)) = url.split_once("://") else { return Err(format!("the URL has no scheme: {FORM}")) };
    if !["postgres", "postgresql"].contains(&&*scheme.to_ascii_lowercase()) {
        return Err(format!("`{scheme}://` is not the URL of a PostgreSQL database: {FORM}"));
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    let hosts = authority.rsplit_once('@').map_or(authority, |(_, hosts)| hosts);
    let query = rest.split_once('?').map_or("", |(_, query)| query.split('#').next().unwrap_or_default());
    let pairs = || query.split('&').filter_map(|pair| pair.split_once('='));
    let value_of = |name: &str| pairs().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    let several = |list: &str| list.contains(',') || list.to_ascii_lowercase().contains("%2c");
    if several(hosts) || value_of("host").is_some_and(several) || value_of("hostaddr").is_some_and(several) {
        let way = "name the one that takes writes, or an address that follows it";
        return Err(format!("the URL names several hosts, and relance connects to one: {way}"));
    }
    if let Some(key) = ["schema", "currentSchema", "search_path"].into_iter().find(|key| value_of(key).is_some()) {
        let way = "leave it out, and say `alter role … in database … set search_path = …` for another schema";
        return Err(format!("the URL asks for a schema by `{key}`, which PostgreSQL does not know: {way}"));
    }
    // An IPv6 address has colons of its own, in brackets.
    let after_host = hosts.rsplit_once(']').map_or(hosts, |(_, port)| port);
    let port = after_host.rsplit_once(':').map(|(_, port)| port).filter(|port| !port.is_empty());
    match port.or_else(|| value_of("port")).map(|port| (port, port.parse::<u16>())) {
        None | Some((_, Ok(1..))) => Ok(()),
        Some((port, Ok(0) | Err(_))) => Err(format!("`{port}` is no port: ports are 1 to 65535")),
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn a_url_that_cannot_work_is_refused_in_words_without_its_password() {
        for (url, said) in [
            ("mysql://u:s3cret@h/db", "`mysql://` is not the URL of a PostgreSQL database"),
            ("jdbc:postgresql://u:s3cret@h/db", "`jdbc:postgresql://` is not"),
            ("h:5432/db", "no scheme"),
            ("postgres://u:s3cret@a,b/db", "several hosts"),
            ("postgresql://u:s3cret@a:1,b:2/db?target_session_attrs=read-write", "several hosts"),
            ("postgres:///db?host=a,b", "several hosts"),
            ("postgres:///db?host=a%2Cb&password=s3cret", "several hosts"),
            ("postgres://u:s3cret@h/db?schema=relance", "by `schema`"),
            ("postgres://h/db?sslmode=disable&currentSchema=x", "by `currentSchema`"),
            ("postgres://u:s3cret@h:65536/db", "`65536` is no port"),
            ("postgres://h:0/db", "`0` is no port"),
            ("postgres://h:54a/db", "`54a` is no port"),
            ("postgres://h/db?port=99999", "`99999` is no port"),
            ("postgres://[::1]:70000/db", "`70000` is no port"),
        ] {
            let sentence = check(url).unwrap_err();
            assert!(sentence.contains(said) && !sentence.contains("s3cret"), "{url}: {sentence}");
        }
        for url in [
            "postgres://relance@localhost/db?host=%2Ftmp%2Fx&port=5432&sslmode=disable",
            "postgresql://u:p,w@h:5432/db",
            "postgres://h",
            "POSTGRES://u@[fe80::1]/db",
            "postgres://u:a:b@h:6432/db?options=-c%20search_path%3Dx",
        ] {
            assert_eq!(check(url), Ok(()), "{url}");
        }
    }
}
