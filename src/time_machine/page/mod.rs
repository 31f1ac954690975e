//! HTML pages for reports: self-contained, without scripts or network access, in a light and a dark scheme.
//!
//! This module computes coordinates and texts. The templates beside it hold the markup and escape every value.

mod bars;
mod colour;
mod figures;
mod heat;
mod scale;
mod timeline;

use std::sync::LazyLock;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde::Serialize;

use self::colour::names;
use self::figures::{Changes, Figures};
use super::compare::Comparison;
use super::report::Report;

/// Renders the page of one simulation.
pub fn report(report: &Report) -> String {
    #[derive(Serialize)]
    struct Page {
        #[serde(flatten)]
        figures: Figures,
        days: bars::Plot,
        ends: timeline::Plot,
        heat: heat::Plot,
    }
    let names = names([report]);
    let page = Page {
        figures: Figures::of(report),
        days: bars::stacked(report, &names),
        ends: timeline::plot(report, &names),
        heat: heat::plot(report),
    };
    render("report.html", &page)
}

/// Renders the page that compares two simulations.
pub fn comparison(comparison: &Comparison) -> String {
    #[derive(Serialize)]
    struct Page {
        #[serde(flatten)]
        changes: Changes,
        days: bars::Plot,
        before: timeline::Plot,
        after: timeline::Plot,
    }
    let (before, after) = (&comparison.before, &comparison.after);
    let names = names([&before.report, &after.report]);
    let page = Page {
        changes: Changes::of(comparison),
        days: bars::beside(before, after),
        before: timeline::plot(&before.report, &names),
        after: timeline::plot(&after.report, &names),
    };
    render("comparison.html", &page)
}

fn render(name: &str, page: &impl Serialize) -> String {
    static PAGES: LazyLock<Environment<'static>> = LazyLock::new(environment);
    let template = PAGES.get_template(name).expect("a template of ours");
    template.render(Serde(page)).expect("a template that fits its page")
}

fn environment() -> Environment<'static> {
    let mut pages = Environment::new();
    pages.set_auto_escape_callback(|_| AutoEscape::Html);
    pages.set_undefined_behavior(UndefinedBehavior::Strict);
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    pages.set_syntax(syntax.expect("the usual delimiters"));
    for (name, source) in [
        ("base.html", include_str!("base.html")),
        ("plots.html", include_str!("plots.html")),
        ("report.html", include_str!("report.html")),
        ("comparison.html", include_str!("comparison.html")),
    ] {
        pages.add_template(name, source).expect("a template of ours compiles");
    }
    pages
}
