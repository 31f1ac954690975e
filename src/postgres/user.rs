//! The user that Postgres runs as: the current user, unless it is root, which Postgres refuses.

use std::fs::{File, Metadata};
use std::os::unix::fs::{MetadataExt, fchown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use super::Error;

/// The accounts for root, in order. Packages of Postgres create the first; the second exists on every system.
const ACCOUNTS: [&str; 2] = ["postgres", "nobody"];

/// The user that owns the cluster and runs the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RunAs {
    Ourselves,
    Account(Account),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) name: String,
    pub(super) uid: u32,
    pub(super) gid: u32,
}

impl RunAs {
    /// Chooses the user for a folder. If the folder exists, its owner keeps it.
    pub(super) fn choose(dir: Option<&Metadata>, path: &Path, passwd: &str) -> Result<Self, Error> {
        let me = rustix::process::geteuid().as_raw();
        match dir.map(|dir| (dir.uid(), dir.gid())) {
            Some((owner, _)) if me != 0 && owner != me => Err(Error::NotOurs { dir: path.to_owned(), owner }),
            _ if me != 0 => Ok(Self::Ourselves),
            Some((uid, gid)) if uid != 0 => {
                let known = accounts(passwd).find(|account| account.uid == uid);
                let name = known.map_or_else(|| format!("user {uid}"), |account| account.name);
                Ok(Self::Account(Account { name, uid, gid }))
            }
            _ => ACCOUNTS
                .iter()
                .find_map(|name| accounts(passwd).find(|account| account.name == *name))
                .map_or(Err(Error::NoAccount), |account| Ok(Self::Account(account))),
        }
    }

    pub(super) fn uid(&self) -> u32 {
        match self {
            Self::Ourselves => rustix::process::geteuid().as_raw(),
            Self::Account(account) => account.uid,
        }
    }

    /// Makes `command` run as this user.
    pub(super) fn apply<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        match self {
            Self::Ourselves => command,
            Self::Account(account) => command.uid(account.uid).gid(account.gid),
        }
    }

    /// Gives an open file or folder to this user. The path is only named in errors: it may lead elsewhere by now.
    pub(super) fn give(&self, file: &File, path: &Path) -> Result<(), Error> {
        match self {
            Self::Ourselves => Ok(()),
            Self::Account(account) => fchown(file, Some(account.uid), Some(account.gid))
                .map_err(Error::io("give to the user that runs PostgreSQL:", path)),
        }
    }
}

impl Account {
    /// Returns true if this user may enter a folder with that mode and owner.
    pub(super) fn may_enter(&self, (mode, uid, gid): (u32, u32, u32)) -> bool {
        let needed = match () {
            () if uid == self.uid => 0o100,
            () if gid == self.gid => 0o010,
            () => 0o001,
        };
        mode & needed != 0
    }
}

fn accounts(passwd: &str) -> impl Iterator<Item = Account> + '_ {
    passwd.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?.to_owned();
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        Some(Account { name, uid, gid })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str =
        "root:x:0:0:root:/root:/bin/bash\n\n+::::\npostgres:x:101:104:,,,:/var/lib/postgresql:/bin/bash\n";

    #[test]
    fn passwd_entries_are_parsed_and_malformed_lines_skipped() {
        let postgres = accounts(PASSWD).last().unwrap();
        assert_eq!(postgres, Account { name: "postgres".into(), uid: 101, gid: 104 });
        assert_eq!(accounts(PASSWD).count(), 2);
    }

    #[test]
    fn the_most_specific_permission_class_decides() {
        let account = Account { name: "postgres".into(), uid: 101, gid: 104 };
        assert!(account.may_enter((0o755, 0, 0)));
        assert!(!account.may_enter((0o700, 0, 0)));
        assert!(account.may_enter((0o710, 0, 104)));
        assert!(!account.may_enter((0o701, 0, 104)));
        assert!(account.may_enter((0o700, 101, 0)));
    }
}
