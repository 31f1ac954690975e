//! The documentation: every link leads somewhere, every manifest is valid, every command line works.
//!
//! `docs/src/contributing/docs.md` lists the info strings of blocks.

mod commands;
mod links;
mod page;
mod stage;
mod yaml;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::thread;

use clap::CommandFactory;
use relance::cli::Cli;
use relance::core::dispatch::gate;
use relance::core::lifecycle::run::Reason;
use tokio::runtime::Builder;

use self::page::{Block, Check, Page};
use self::stage::{Setting, Stage};

/// Pages whose command lines run at once.
const THREADS: usize = 4;

/// Fails with all of `faults`.
fn none(faults: &[String]) {
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

#[test]
fn every_code_block_declares_its_check() {
    let pages = page::all();
    let blocks: Vec<Block> = pages.iter().flat_map(Page::blocks).collect();
    let faults: Vec<String> = blocks.iter().filter_map(|block| block.check().err()).collect();
    none(&faults);
    let count = |wanted: fn(&Check) -> bool| blocks.iter().filter(|block| wanted(&block.check().unwrap())).count();
    assert!(count(|check| matches!(check, Check::Run { .. })) > 20, "the commands were not found");
    assert!(count(|check| matches!(check, Check::Manifests { .. })) > 10, "the manifests were not found");
}

#[test]
fn every_manifest_is_valid() {
    let blocks: Vec<Block> = page::all().iter().flat_map(Page::blocks).collect();
    none(&blocks.iter().filter_map(|block| yaml::fault(block, &block.check().ok()?)).collect::<Vec<_>>());
}

#[test]
fn every_command_line_has_arguments_that_exist() {
    let mut faults = Vec::new();
    for block in page::all().iter().flat_map(Page::blocks) {
        let lines = match block.check() {
            Ok(Check::Run { .. } | Check::Parse) => commands::lines(&block.text),
            Ok(Check::Workflow) => yaml::steps(&block),
            _ => continue,
        };
        let told = lines.iter().filter_map(|line| commands::misuse(line, &Cli::command()));
        faults.extend(told.map(|fault| format!("{block}: {fault}")));
    }
    none(&faults);
}

#[test]
fn every_command_line_works() {
    let pages = Mutex::new(page::all());
    let faults = Mutex::new(Vec::new());
    let work = async || {
        while let Some(page) = take(&pages) {
            let told = broken_lines(&page).await;
            faults.lock().unwrap().extend(told);
        }
    };
    // A page mostly waits for other processes. Connections must not cross runtimes, so each thread has its own.
    let alone = || Builder::new_current_thread().enable_all().build().unwrap().block_on(work());
    thread::scope(|scope| (0..THREADS).for_each(|_| drop(scope.spawn(alone))));
    none(&faults.into_inner().unwrap());
}

fn take(pages: &Mutex<Vec<Page>>) -> Option<Page> {
    pages.lock().unwrap().pop()
}

/// Runs the command lines of a page, those of each setting in a world of their own.
async fn broken_lines(page: &Page) -> Vec<String> {
    let mut blocks: BTreeMap<Setting, Vec<(Block, Check)>> = BTreeMap::new();
    for block in page.blocks() {
        if let Ok(check @ Check::Run { setting, .. }) = block.check() {
            blocks.entry(setting).or_default().push((block, check));
        }
    }
    let mut faults = Vec::new();
    for (setting, blocks) in blocks {
        let stage = Stage::set(setting, &page.files()).await;
        for (block, check) in &blocks {
            let told = commands::lines(&block.text).into_iter().filter_map(|line| stage.fault(&line, check));
            faults.extend(told.map(|fault| format!("{block}: {fault}")));
        }
    }
    faults
}

#[test]
fn every_link_leads_somewhere() {
    none(&links::faults(&page::all()));
}

#[test]
fn every_page_is_in_the_summary() {
    none(&links::not_in_summary(&page::all()));
}

#[test]
fn concept_pages_list_every_reason_and_every_gate_check() {
    let page = |path: &str| page::all().into_iter().find(|page| page.path == path).unwrap().text;
    let lifecycle = page("docs/src/concepts/lifecycle.md");
    for reason in Reason::ALL {
        assert!(lifecycle.contains(&format!("\n| `{}` |", reason.as_str())), "lifecycle.md lacks {}", reason.as_str());
    }
    let gate = page("docs/src/concepts/gate.md");
    let places: Vec<_> =
        gate::Check::ALL.iter().map(|check| gate.find(&format!("\n| {} |", check.as_str())).unwrap()).collect();
    assert!(places.is_sorted(), "gate.md lists the checks in another order");
}
