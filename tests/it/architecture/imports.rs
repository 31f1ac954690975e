//! Which file names which: every path of the sources, resolved through `use`, `super`, `self`, inline modules, glob
//! imports and re-exports, also inside macros.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{ItemMod, ItemUse, Macro, UseTree, Visibility};

/// A file by the path of its module below the crate.
pub(super) type Module = Vec<String>;

#[derive(Debug, Default)]
pub(super) struct Imports {
    files: BTreeMap<Module, (PathBuf, usize)>,
    edges: BTreeSet<(Module, Module)>,
    external: BTreeSet<(Module, String)>,
}

/// A path as it stands in a file, below the module in which it stands.
struct Named {
    file: Module,
    /// Absolute within the crate; `None`: a path of another crate.
    inside: Option<Vec<String>>,
    text: String,
    /// The name under which others reach it, when it is re-exported.
    reexport: Option<String>,
}

impl Imports {
    pub(super) fn read(src: &Path) -> Self {
        let mut this = Self::default();
        let mut named = Vec::new();
        for path in sources(src) {
            let module = module(path.strip_prefix(src).unwrap());
            let text = fs::read_to_string(&path).unwrap();
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//")).count();
            this.files.insert(module.clone(), (path, code));
            let mut found = Found { file: module.clone(), inside: module, named: Vec::new() };
            found.visit_file(&syn::parse_file(&text).unwrap());
            named.extend(found.named);
        }
        let mut reexports = BTreeMap::new();
        for one in &named {
            if let (Some(name), Some(inside)) = (&one.reexport, &one.inside) {
                reexports.insert((one.file.clone(), name.clone()), inside.clone());
            }
        }
        for one in named {
            match one.inside {
                None => _ = this.external.insert((one.file, one.text)),
                // A re-export is no use of its own: whoever names it is counted.
                Some(_) if one.reexport.is_some() => {}
                Some(inside) => {
                    let target = this.resolve(&inside, &reexports, 0);
                    if target != one.file {
                        this.edges.insert((one.file, target));
                    }
                }
            }
        }
        this
    }

    pub(super) fn files(&self) -> impl Iterator<Item = (&Module, usize)> {
        self.files.iter().map(|(module, (_, lines))| (module, *lines))
    }

    pub(super) fn edges(&self) -> impl Iterator<Item = (&Module, &Module)> {
        self.edges.iter().map(|(from, to)| (from, to))
    }

    pub(super) fn external(&self) -> impl Iterator<Item = (&Module, &str)> {
        self.external.iter().map(|(module, path)| (module, path.as_str()))
    }

    /// The folder that holds the file and, for a `mod.rs`, its children.
    pub(super) fn folder(&self, module: &Module) -> &Path {
        self.files[module].0.parent().unwrap()
    }

    /// Groups of files that import each other, directly or by way of others.
    pub(super) fn circles(&self) -> Vec<Vec<&Module>> {
        let mut reach: BTreeMap<&Module, BTreeSet<&Module>> = BTreeMap::new();
        for start in self.files.keys() {
            let (mut seen, mut next) = (BTreeSet::new(), vec![start]);
            while let Some(from) = next.pop() {
                for (_, to) in self.edges.range((from.clone(), Vec::new())..).take_while(|(one, _)| one == from) {
                    if self.files.contains_key(to) && seen.insert(to) {
                        next.push(to);
                    }
                }
            }
            reach.insert(start, seen);
        }
        let mut circles: BTreeSet<Vec<&Module>> = BTreeSet::new();
        for (module, seen) in &reach {
            if seen.contains(module) {
                let circle = seen.iter().copied().filter(|other| reach[*other].contains(*module));
                circles.insert(circle.collect());
            }
        }
        circles.into_iter().collect()
    }

    /// The file in which `path` is defined, through re-exports.
    fn resolve(&self, path: &[String], reexports: &BTreeMap<(Module, String), Vec<String>>, hops: u8) -> Module {
        let known = (0..=path.len()).rev().find(|length| self.files.contains_key(&path[..*length])).unwrap();
        let (file, rest) = path.split_at(known);
        let through = rest.first().and_then(|name| reexports.get(&(file.to_vec(), name.clone())));
        match through {
            Some(target) if target != path && hops < 8 => {
                let path: Vec<String> = target.iter().chain(&rest[1..]).cloned().collect();
                self.resolve(&path, reexports, hops + 1)
            }
            _ => file.to_vec(),
        }
    }
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

fn module(path: &Path) -> Module {
    let mut names: Module = path.with_extension("").iter().map(|name| name.to_str().unwrap().to_owned()).collect();
    if names.last().is_some_and(|name| name == "mod" || (name == "lib" && names.len() == 1)) {
        names.pop();
    }
    names
}

/// Collects the paths of one file.
struct Found {
    file: Module,
    /// The module in which the visitor stands: the file, or an inline module of it.
    inside: Module,
    named: Vec<Named>,
}

impl Found {
    fn note(&mut self, path: &[String], reexport: Option<String>) {
        let text = path.join("::");
        let mut base = self.inside.clone();
        let mut rest = path;
        let inside = match path[0].as_str() {
            "crate" | "relance" => {
                rest = &path[1..];
                Some(rest.to_vec())
            }
            "self" | "super" => {
                while let Some(step @ ("self" | "super")) = rest.first().map(String::as_str) {
                    if step == "super" {
                        base.pop();
                    }
                    rest = &rest[1..];
                }
                base.extend(rest.iter().cloned());
                Some(base)
            }
            _ if path.len() > 1 => None,
            _ => return,
        };
        self.named.push(Named { file: self.file.clone(), inside, text, reexport });
    }

    fn tree(&mut self, tree: &UseTree, before: &[String], public: bool) {
        let with = |name: &syn::Ident| before.iter().cloned().chain([name.to_string()]).collect::<Vec<_>>();
        match tree {
            UseTree::Path(path) => self.tree(&path.tree, &with(&path.ident), public),
            UseTree::Name(name) if name.ident == "self" => self.note(before, None),
            UseTree::Name(name) => self.note(&with(&name.ident), public.then(|| name.ident.to_string())),
            UseTree::Rename(name) => self.note(&with(&name.ident), public.then(|| name.rename.to_string())),
            UseTree::Glob(_) => self.note(before, None),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.tree(tree, before, public)),
        }
    }

    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 2;
        for token in tokens {
            match token {
                TokenTree::Ident(name) if colons == 2 => {
                    path.push(name.to_string());
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' && !path.is_empty() => colons += 1,
                other => {
                    self.end(&mut path);
                    colons = 2;
                    match other {
                        TokenTree::Ident(name) => {
                            path.push(name.to_string());
                            colons = 0;
                        }
                        TokenTree::Group(group) => self.tokens(group.stream()),
                        TokenTree::Punct(_) | TokenTree::Literal(_) => {}
                    }
                }
            }
        }
        self.end(&mut path);
    }

    fn end(&mut self, path: &mut Vec<String>) {
        if path.len() > 1 {
            let path = std::mem::take(path);
            self.note(&path, None);
        }
        path.clear();
    }
}

impl<'ast> Visit<'ast> for Found {
    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if item.content.is_some() {
            self.inside.push(item.ident.to_string());
            visit::visit_item_mod(self, item);
            self.inside.pop();
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.tree(&item.tree, &[], !matches!(item.vis, Visibility::Inherited));
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.note(&names, None);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'ast Macro) {
        self.tokens(item.tokens.clone());
        visit::visit_macro(self, item);
    }
}
